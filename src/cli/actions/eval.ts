import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '../../data/spec.js';
import { evaluate as evaluateEncoder } from '../../evals/evaluate.js';
import type { EvaluationResult, KnnOptions, SegmentKnnOptions } from '../../evals/evaluation.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { EventLog } from '../../runs/event-log.js';
import type { RunFolder } from '../../runs/run-folder.js';
import { storageError, writeFileAtomic } from '../../support/atomic-file.js';
import { UsageError } from '../../support/errors.js';
import { Progress } from '../../support/progress.js';
import { type CommandResult, cardText } from '../output.js';
import { openModel } from './open-model.js';

/** The checked options of `tessera eval`. */
export type EvalOptions = {
  readonly task: 'knn' | 'segment-knn';
  readonly model: string;
  readonly train: string;
  readonly test: string;
  readonly weights: 'student' | 'teacher';
  readonly withFloor: boolean;
  readonly size: number | undefined;
  readonly k: number | undefined;
  readonly standardise: boolean;
  readonly seed: number | undefined;
  /** Of `knn`. */
  readonly pooling: 'patches' | 'global' | undefined;
  readonly view: 'resize' | 'resize-centre-crop' | undefined;
  /** Of `segment-knn`; `Infinity` keeps all training patches. */
  readonly distance: 'cosine' | 'L2' | undefined;
  readonly search: boolean;
  readonly maxTrainPatches: number | undefined;
  readonly out: string | undefined;
  readonly device: string | undefined;
  readonly threads: number | undefined;
  readonly workers: number | undefined;
};

/**
 * `tessera eval`: JSON is the `EvaluationResult` with `model` and `weights`. Writes it to `OUT/<task>.json`, and into the
 * events of the run where the model is one.
 */
export async function evaluate(options: EvalOptions): Promise<CommandResult> {
  const { model, task, weights, device, out } = options;
  const train = await openDataset(options.train);
  const test = await openDataset(options.test);
  const opened = await openModel(model, options);
  let floor: ImageEncoder | undefined;
  const progress = stagedProgress();
  try {
    if (options.withFloor && opened.untrained) {
      throw new UsageError(`--with-floor compares with an untrained encoder, and ${model} is one.`, {
        hint: 'Leave --with-floor out.',
      });
    }
    if (options.withFloor) floor = (await openModel(`random:${model}`, { weights, device })).encoder;
    const result = await evaluateEncoder({
      ...taskOptions(options),
      encoder: opened.encoder,
      ...(floor && { floor }),
      train,
      test,
      size: options.size ?? opened.size,
      standardise: options.standardise,
      ...given({ seed: options.seed, workers: options.workers, device }),
      onProgress: progress.update,
    });
    progress.finish();
    const json = { ...result, model, weights };
    const path = out === undefined ? undefined : writeJson(out, `${task}.json`, json);
    if (opened.run) logEvaluation(opened.run, weights, result);
    return { card: card(options, result, path), json };
  } finally {
    opened.encoder.dispose();
    floor?.dispose();
  }
}

type TaskOptions =
  | Pick<KnnOptions, 'task' | 'k' | 'pooling' | 'view'>
  | Pick<SegmentKnnOptions, 'task' | 'k' | 'distance' | 'search' | 'maxTrainPatches'>;

function taskOptions(options: EvalOptions): TaskOptions {
  const { task, k, pooling, view, distance, search, maxTrainPatches } = options;
  return task === 'knn'
    ? { task, ...given({ k, pooling, view }) }
    : { task, search, ...given({ k, distance, maxTrainPatches }) };
}

/** Without what was not given: such options are absent, not undefined. */
function given<T extends Record<string, unknown>>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function writeJson(folder: string, name: string, json: unknown): string {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw storageError(cause, folder);
  }
  const path = join(folder, name);
  writeFileAtomic(path, `${JSON.stringify(json, undefined, 2)}\n`);
  return path;
}

function logEvaluation(run: RunFolder, encoder: 'student' | 'teacher', result: EvaluationResult): void {
  const log = new EventLog(run.events);
  try {
    log.append({
      type: 'evaluation',
      step: run.latestCheckpoint()?.step ?? 0,
      task: result.task,
      encoder,
      metrics: { ...result.metrics },
      ...(result.floor && { floor: { ...result.floor } }),
    });
  } finally {
    log.close();
  }
}

/** A bar for each stage, one after another. */
function stagedProgress(): { update: (stage: string, done: number, total: number) => void; finish: () => void } {
  let shown: { stage: string; progress: Progress } | undefined;
  return {
    update(stage, done, total) {
      if (shown?.stage !== stage) {
        shown?.progress.finish();
        shown = { stage, progress: new Progress(stage, total, { unit: 'images' }) };
      }
      shown.progress.update(done);
    },
    finish: () => shown?.progress.finish(),
  };
}

const metricNames: Readonly<Record<string, string>> = {
  top1: 'top-1',
  meanPerClass: 'mean per class',
  miou: 'mIoU',
  pixelAccuracy: 'pixel accuracy',
};

function card(options: EvalOptions, result: EvaluationResult, path: string | undefined): string {
  const { metrics, intervals, floor, floorIntervals, protocol, counts } = result;
  const shown = (value: number, [low, high]: readonly [number, number]) =>
    `${value.toFixed(1)} % (${low.toFixed(1)} to ${high.toFixed(1)})`;
  const title = `${options.task} · ${options.model}${options.weights === 'student' ? ' (student)' : ''}`;
  const settings = options.task === 'knn' ? `, ${protocol.pooling}` : `, ${protocol.distance}`;
  const unreadable = counts.brokenImages! > 0 ? `, ${counts.brokenImages} unreadable` : '';
  return cardText(title, [
    ...Object.entries(metrics).map(([name, value]): [string, string] => {
      const beside = floor ? `; untrained ${shown(floor[name]!, floorIntervals![name]!)}` : '';
      return [metricNames[name] ?? name, `${shown(value, intervals[name]!)}${beside}`];
    }),
    ['images', `${counts.trainImages} train, ${counts.testImages} test${unreadable}`],
    ['patches', counts.trainPatches === undefined ? undefined : `${counts.trainPatches} vote`],
    ['settings', `k ${protocol.k}${settings}, ${protocol.size} x ${protocol.size} pixels`],
    ['written', path],
  ]);
}
