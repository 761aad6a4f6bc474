import { readFileSync } from 'node:fs';
import { type ConfigLeaf, readConfigLeaves } from '../../config/config-yaml.js';
import { liveEvents, metricsOf, readEvents } from '../../runs/event-log.js';
import { evaluationsOf, summariseRun } from '../../runs/list-runs.js';
import type { EventOf, RunEvent } from '../../runs/run-events.js';
import { RunFolder } from '../../runs/run-folder.js';
import { numberText } from '../../support/number-text.js';
import { type CommandResult, cardText } from '../output.js';
import { bestText, stepText, timeText } from './run-texts.js';

/**
 * `tessera runs show`: JSON of the summary with `config` (leaves with origins), `facts` (of the last start), `metrics`
 * (the last of each name), `evaluations`, `checkpoints` and `warnings`.
 */
export async function runsShow(path: string): Promise<CommandResult> {
  const run = RunFolder.open(path);
  const summary = summariseRun(run);
  const events = summary.state === 'unreadable' ? [] : readEvents(run.events);
  const facts = events.filter((event) => event.type === 'start' || event.type === 'resume').at(-1)?.facts ?? {};
  const config = readConfigLeaves(readFileSync(run.config, 'utf8'));
  const evaluations = evaluationsOf(events);
  const checkpoints = run.listCheckpoints();
  const warnings = warningsOf(events);
  const metrics = lastValues(metricsOf(events));
  const card = cardText(`${run.name} · ${summary.method ?? 'unknown method'} · ${run.path}`, [
    ['state', summary.reason === undefined ? summary.state : `${summary.state}: ${summary.reason}`],
    ['problem', summary.problem],
    ['steps', stepText(summary)],
    ['created', timeText(summary.created)],
    ['updated', timeText(summary.updated)],
    ['loss', lossText(summary.lossFirst, summary.lossLast)],
    ['metrics', listText(metrics)],
    ['best', summary.best && bestText(summary.best)],
    ...evaluations.slice(-5).map((event) => ['evaluation', evaluationText(event)] as const),
    ['checkpoints', checkpoints.length === 0 ? 'none' : checkpoints.map(({ step }) => step).join(', ')],
    ['engine', listText(facts)],
    ...warnings.slice(-5).map((warning) => ['warning', warning] as const),
    ...config.filter(({ origin }) => origin !== 'default').map((leaf) => ['set', leafText(leaf)] as const),
  ]);
  return { card, json: { ...summary, config, facts, metrics, evaluations, checkpoints, warnings } };
}

function warningsOf(events: readonly RunEvent[]): string[] {
  return liveEvents(events).flatMap((event) => {
    if (event.type === 'warning') return `step ${event.step}: ${event.message}`;
    if (event.type === 'broken-image') return `step ${event.step}: ${event.image}: ${event.reason}`;
    if (event.type === 'health' && event.level !== 'good')
      return `step ${event.step}: ${event.check}: ${event.message}`;
    return [];
  });
}

function lastValues(metrics: readonly EventOf<'metrics'>[]): Record<string, number> {
  return Object.assign({}, ...metrics.map((event) => event.values));
}

function lossText(first: number | undefined, last: number | undefined): string | undefined {
  return first === undefined || last === undefined ? undefined : `${numberText(first)} to ${numberText(last)}`;
}

function evaluationText(event: EventOf<'evaluation'>): string {
  const floor = event.floor === undefined ? '' : ` (untrained: ${listText(event.floor)})`;
  return `${event.task} at step ${event.step}, ${event.encoder}: ${listText(event.metrics)}${floor}`;
}

function listText(values: Readonly<Record<string, unknown>>): string | undefined {
  const texts = Object.entries(values).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? numberText(value) : String(value)}`,
  );
  return texts.length === 0 ? undefined : texts.join(', ');
}

function leafText({ key, value, origin }: ConfigLeaf): string {
  return `${key}: ${JSON.stringify(value)}${origin === '' ? '' : ` (${origin})`}`;
}
