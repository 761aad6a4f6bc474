import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TesseraError, UsageError } from '../support/errors.js';
import { liveEvents, metricsOf, readEvents } from './event-log.js';
import type { EventOf, RunEvent } from './run-events.js';
import { RunFolder } from './run-folder.js';
import { readStatus, type ShownState, shownState } from './run-status.js';

/** The best of one number over the evaluations of a run, in percent. */
export type BestEvaluation = {
  readonly task: string;
  readonly metric: string;
  readonly value: number;
  readonly step: number;
  readonly encoder: 'student' | 'teacher';
};

/** What a list says about a run. `state` is `unreadable` where its events are damaged; `problem` says how. */
export type RunSummary = {
  readonly name: string;
  readonly path: string;
  readonly method: string | undefined;
  readonly state: ShownState | 'unreadable';
  readonly reason: string | undefined;
  readonly step: number;
  readonly steps: number | undefined;
  /** Student loss, first and last that was logged. */
  readonly lossFirst: number | undefined;
  readonly lossLast: number | undefined;
  readonly best: BestEvaluation | undefined;
  /** ISO 8601; when the run started and when it last said something. */
  readonly created: string | undefined;
  readonly updated: string | undefined;
  readonly problem: string | undefined;
};

const depthLimit = 3;

/**
 * The runs in a folder and its sub-folders (three levels), or the folder itself if it is a run; oldest first. Runs that
 * cannot be read are listed as such.
 *
 * @throws UsageError if there is no such folder.
 */
export function listRuns(folder: string): RunSummary[] {
  if (!existsSync(folder)) {
    throw new UsageError(`no folder ${folder} to look for runs in`, { hint: 'Give the folder that holds your runs.' });
  }
  const runs = findRuns(folder, depthLimit).map((path) => summariseRun(RunFolder.open(path)));
  return runs.sort((a, b) => compareTexts(a.created ?? '', b.created ?? '') || compareTexts(a.path, b.path));
}

/** What a list says about one run; never throws for a damaged one. */
export function summariseRun(run: RunFolder): RunSummary {
  try {
    return summarise(run, readEvents(run.events));
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
    return { ...summarise(run, []), state: 'unreadable', problem: error.message };
  }
}

/** The evaluations of a run that count, in order. */
export function evaluationsOf(events: readonly RunEvent[]): EventOf<'evaluation'>[] {
  return liveEvents(events).filter((event) => event.type === 'evaluation');
}

/** The metric that ranks an evaluation: `top1`, else `miou`, else the first it has. */
function mainMetric(metrics: Readonly<Record<string, number>>): string | undefined {
  return ['top1', 'miou'].find((name) => name in metrics) ?? Object.keys(metrics)[0];
}

function summarise(run: RunFolder, events: readonly RunEvent[]): RunSummary {
  const status = readStatus(run.status);
  const begins = events.filter((event) => event.type === 'start' || event.type === 'resume');
  const losses = metricsOf(events).flatMap((event) => event.values.loss ?? []);
  return {
    name: run.name,
    path: run.path,
    method: begins.at(-1)?.method,
    state: shownState(status),
    reason: status?.reason,
    step: status?.step ?? liveEvents(events).at(-1)?.step ?? 0,
    steps: status?.steps ?? begins.at(-1)?.steps,
    lossFirst: losses[0],
    lossLast: losses.at(-1),
    best: bestEvaluation(evaluationsOf(events)),
    created: events[0]?.time,
    updated: status?.updated ?? events.at(-1)?.time,
    problem: undefined,
  };
}

/** Over the task that was evaluated first, so that percentages of different tasks are never compared. */
function bestEvaluation(evaluations: readonly EventOf<'evaluation'>[]): BestEvaluation | undefined {
  const first = evaluations[0];
  const metric = first && mainMetric(first.metrics);
  if (first === undefined || metric === undefined) return undefined;
  const candidates = evaluations.flatMap(({ task, metrics, step, encoder }) => {
    const value = metrics[metric];
    return task === first.task && value !== undefined ? [{ task, metric, value, step, encoder }] : [];
  });
  return candidates.reduce((best, next) => (next.value > best.value ? next : best));
}

function findRuns(folder: string, depth: number): string[] {
  if (RunFolder.isRun(folder)) return [folder];
  if (depth === 0) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .flatMap((entry) => findRuns(join(folder, entry.name), depth - 1));
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
