import { relative } from 'node:path';
import { listRuns, type RunSummary } from '../../runs/list-runs.js';
import { numberText } from '../../support/number-text.js';
import { tableText } from '../../support/table-text.js';
import type { CommandResult } from '../output.js';
import { bestText, stepText, timeText } from './run-texts.js';

/** `tessera runs list`: JSON `{folder, runs: RunSummary[]}`. */
export async function runsList(folder: string): Promise<CommandResult> {
  const runs = listRuns(folder);
  const broken = runs.flatMap((run) => (run.problem === undefined ? [] : [`${run.name}: ${run.problem}`]));
  const table = tableText(
    ['run', 'method', 'state', 'steps', 'loss', 'best', 'created'],
    runs.map((run) => row(run, folder)),
  );
  const card = runs.length === 0 ? `No runs in ${folder}.` : [table, ...broken].join('\n');
  return { card, json: { folder, runs } };
}

function row(run: RunSummary, folder: string): string[] {
  return [
    relative(folder, run.path) || run.name,
    run.method ?? '-',
    run.state,
    stepText(run),
    run.lossLast === undefined ? '-' : numberText(run.lossLast),
    bestText(run.best),
    timeText(run.created),
  ];
}
