import { readFileSync } from 'node:fs';
import { readConfigLeaves } from '../../config/config-yaml.js';
import { readMetrics } from '../../runs/event-log.js';
import { type RunSummary, summariseRun } from '../../runs/list-runs.js';
import { RunFolder } from '../../runs/run-folder.js';
import { numberText } from '../../support/number-text.js';
import { tableText } from '../../support/table-text.js';
import type { CommandResult } from '../output.js';
import { bestText, stepText } from './run-texts.js';

/** A setting in which runs differ, one value a run; `undefined` where a run does not have it. */
type Difference = { readonly key: string; readonly values: readonly unknown[] };

/**
 * `tessera runs compare`: JSON `{runs: RunSummary[], differences: {key, values}[], lossAt: {step, losses} | null}`, where
 * `lossAt` is the last step that every run logged.
 */
export async function runsCompare(paths: readonly string[]): Promise<CommandResult> {
  const folders = paths.map((path) => RunFolder.open(path));
  const runs = folders.map(summariseRun);
  const differences = differingSettings(folders);
  const lossAt = commonLoss(folders.filter((_, index) => runs[index]!.state !== 'unreadable'));
  const rows = [
    ['state', ...runs.map((run) => run.state)],
    ['steps', ...runs.map(stepText)],
    ['last loss', ...runs.map((run) => lossCell(run.lossLast))],
    ...(lossAt && lossAt.losses.length === runs.length
      ? [[`loss at step ${lossAt.step}`, ...lossAt.losses.map(lossCell)]]
      : []),
    ['best', ...runs.map((run) => bestText(run.best))],
    ...differences.map(({ key, values }) => [key, ...values.map(valueText)]),
  ];
  const problems = runs.flatMap((run) => (run.problem === undefined ? [] : [`${run.name}: ${run.problem}`]));
  const same = differences.length === 0 ? ['The settings are the same.'] : [];
  const table = tableText(['', ...shortNames(runs)], rows);
  return {
    card: [table, ...same, ...problems].join('\n'),
    json: { runs, differences, lossAt: lossAt ?? null },
  };
}

function differingSettings(folders: readonly RunFolder[]): Difference[] {
  const configs = folders.map(
    (run) => new Map(readConfigLeaves(readFileSync(run.config, 'utf8')).map(({ key, value }) => [key, value])),
  );
  const keys = new Set(configs.flatMap((config) => [...config.keys()]));
  return [...keys]
    .map((key) => ({ key, values: configs.map((config) => config.get(key)) }))
    .filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1);
}

function commonLoss(folders: readonly RunFolder[]): { step: number; losses: number[] } | undefined {
  const series = folders.map(
    (run) =>
      new Map(readMetrics(run).flatMap(({ step, values }) => (values.loss === undefined ? [] : [[step, values.loss]]))),
  );
  const steps = [...(series[0]?.keys() ?? [])].filter((step) => series.every((losses) => losses.has(step)));
  const step = steps.at(-1);
  return step === undefined ? undefined : { step, losses: series.map((losses) => losses.get(step)!) };
}

function shortNames(runs: readonly RunSummary[]): string[] {
  const unique = new Set(runs.map((run) => run.name)).size === runs.length;
  return runs.map((run) => (unique ? run.name : run.path));
}

function lossCell(loss: number | undefined): string {
  return loss === undefined ? '-' : numberText(loss);
}

function valueText(value: unknown): string {
  return value === undefined ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
}
