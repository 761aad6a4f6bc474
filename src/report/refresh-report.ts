import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { findTask } from '../evals/tasks.js';
import { liveEvents, readEvents } from '../runs/event-log.js';
import type { EventOf, RunEvent } from '../runs/run-events.js';
import type { RunFolder } from '../runs/run-folder.js';
import { DataError } from '../support/errors.js';
import { type ReportEvaluation, type ReportParts, reportPartsSchema, type Verdict } from './report-parts.js';
import { lastResults, resultKey } from './result-table.js';
import { verdictOf, watchedVerdict } from './verdict.js';
import { writePage } from './write-report.js';

/**
 * Writes the report of a run anew, with all pictures that it has by now. What the command that trained it had to say is kept
 * (`report.json`); a run without that gets a plain report from its folder.
 *
 * @param program how to type `tessera`
 * @returns the path of the report @throws DataError where `report.json` or the event log are damaged; `STORAGE`
 */
export function refreshReport(run: RunFolder, program: string): string {
  const events = liveEvents(readEvents(run.events));
  const kept = readParts(run);
  const told = new Set(kept?.evaluations.flatMap(({ of }) => of ?? []));
  const more = evaluationsOf(lastResults(events).filter((result) => !told.has(resultKey(result))));
  const parts = kept
    ? { ...kept, evaluations: [...kept.evaluations, ...more] }
    : plainParts(run, program, events, more);
  return writePage(run, parts, events);
}

function readParts(run: RunFolder): ReportParts | undefined {
  if (!existsSync(run.reportParts)) return undefined;
  const parse = () => reportPartsSchema.safeParse(JSON.parse(readFileSync(run.reportParts, 'utf8')));
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse();
  } catch (cause) {
    throw new DataError(`${run.reportParts} is not JSON`, {
      cause,
      hint: 'Delete it: a plain report is written then.',
    });
  }
  if (parsed.success) return parsed.data;
  throw new DataError(`${run.reportParts} is not of this version: ${z.prettifyError(parsed.error)}`, {
    hint: 'Delete it: a plain report is written then.',
  });
}

function plainParts(
  run: RunFolder,
  program: string,
  events: readonly RunEvent[],
  evaluations: readonly ReportEvaluation[],
): ReportParts {
  const begin = events.findLast((event) => event.type === 'start' || event.type === 'resume');
  const method = begin?.method ?? 'unknown method';
  const data = begin?.facts.data;
  const steps = events.at(-1)?.step ?? 0;
  return {
    title: run.name,
    summary: `Trained with ${method} for ${steps} steps${data === undefined ? '' : ` on ${data}`}, ${method === 'finetune' ? 'with' : 'without'} labels.`,
    verdict: plainVerdict(events, evaluations),
    evaluations,
    nextCommands: [],
    command: `${program} ${commandOf(method)} ${run.config} ${method === 'finetune' ? '--model MODEL --train' : '--data'} '${data ?? 'SPEC'}' --out NEW`,
  };
}

function plainVerdict(events: readonly RunEvent[], evaluations: readonly ReportEvaluation[]): Verdict {
  const compared = evaluations.some(({ untrained }) => untrained !== undefined);
  const watched = compared ? undefined : watchedVerdict(events.filter((event) => event.type === 'metrics'));
  if (watched) return watched;
  return evaluations.length > 0
    ? verdictOf(evaluations)
    : { tone: 'unclear', headline: 'Not yet evaluated.', sentences: [] };
}

function commandOf(method: string): string {
  if (method === 'mim-refiner') return 'refine';
  return method === 'finetune' ? 'finetune' : 'pretrain';
}

/** By the number that a task compares by, where it is a share in percent. */
function evaluationsOf(results: readonly EventOf<'evaluation'>[]): ReportEvaluation[] {
  return results.flatMap(
    ({ task, name, encoder, on, metrics, floor, intervals, floorIntervals }): ReportEvaluation[] => {
      const [key, value] = Object.entries(metrics)[0] ?? [];
      if (key === undefined || value === undefined) return [];
      const known = findTask(task);
      const info = known?.metrics[key];
      if (info !== undefined && info.unit !== '%') return [];
      const measured = (number: number, interval: readonly [number, number] | undefined) => ({
        value: number,
        ...(interval && { interval }),
      });
      return [
        {
          name: `${name ?? known?.summary ?? task} (${encoder})`,
          metric: info?.name ?? key,
          ...(on !== undefined && { on }),
          trained: measured(value, intervals?.[key]),
          ...(floor?.[key] !== undefined && { untrained: measured(floor[key], floorIntervals?.[key]) }),
        },
      ];
    },
  );
}
