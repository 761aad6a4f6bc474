import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '../../data/spec.js';
import { evaluate as evaluateEncoder } from '../../evals/evaluate.js';
import type {
  ClusterOptions,
  EvaluateOptions,
  EvaluationResult,
  KnnOptions,
  SegmentKnnOptions,
} from '../../evals/evaluation.js';
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
  readonly task: EvaluateOptions['task'];
  readonly model: string;
  /** Of `knn` and `segment-knn`. */
  readonly train: string | undefined;
  readonly test: string;
  readonly weights: 'student' | 'teacher';
  readonly withFloor: boolean;
  readonly size: number | undefined;
  readonly k: number | undefined;
  readonly standardise: boolean;
  readonly seed: number | undefined;
  /** Of `knn` and `cluster`. */
  readonly pooling: 'patches' | 'global' | undefined;
  readonly view: 'resize' | 'resize-centre-crop' | undefined;
  /** Of `segment-knn`; `Infinity` keeps all training patches. */
  readonly distance: 'cosine' | 'L2' | undefined;
  readonly search: boolean;
  readonly maxTrainPatches: number | undefined;
  /** Of `cluster`. */
  readonly clusters: number | undefined;
  readonly runs: number | undefined;
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
  const specific = await taskOptions(options);
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
      ...specific,
      encoder: opened.encoder,
      ...(floor && { floor }),
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
  | Pick<KnnOptions, 'task' | 'train' | 'k' | 'pooling' | 'view'>
  | Pick<SegmentKnnOptions, 'task' | 'train' | 'k' | 'distance' | 'search' | 'maxTrainPatches'>
  | Pick<ClusterOptions, 'task' | 'clusters' | 'runs' | 'pooling' | 'view'>;

async function taskOptions(options: EvalOptions): Promise<TaskOptions> {
  const { task, k, pooling, view, distance, search, maxTrainPatches, clusters, runs } = options;
  if (task === 'cluster') return { task, ...given({ clusters, runs, pooling, view }) };
  const train = await openDataset(options.train!);
  return task === 'knn'
    ? { task, train, ...given({ k, pooling, view }) }
    : { task, train, search, ...given({ k, distance, maxTrainPatches }) };
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
  nmi: 'NMI',
  ami: 'AMI',
  ari: 'ARI',
  daviesBouldin: 'Davies-Bouldin',
};

function card(options: EvalOptions, result: EvaluationResult, path: string | undefined): string {
  const { metrics, intervals, floor, floorIntervals, counts } = result;
  const title = `${options.task} · ${options.model}${options.weights === 'student' ? ' (student)' : ''}`;
  const sets = [counts.trainImages && `${counts.trainImages} train`, `${counts.testImages} test`].filter(Boolean);
  const unreadable = counts.brokenImages! > 0 ? `, ${counts.brokenImages} unreadable` : '';
  return cardText(title, [
    ...Object.entries(metrics).map(([name, value]): [string, string] => {
      const beside = floor ? `; untrained ${metricText(name, floor[name]!, floorIntervals?.[name])}` : '';
      return [metricNames[name] ?? name, `${metricText(name, value, intervals[name])}${beside}`];
    }),
    ['images', `${sets.join(', ')}${unreadable}`],
    ['patches', counts.trainPatches === undefined ? undefined : `${counts.trainPatches} vote`],
    ['settings', settingsText(result)],
    ['written', path],
  ]);
}

function settingsText({ task, protocol }: EvaluationResult): string {
  const size = `${protocol.size} x ${protocol.size} pixels`;
  if (task === 'cluster')
    return `${protocol.clusters} clusters, best of ${protocol.runs} runs, ${protocol.pooling}, ${size}`;
  return `k ${protocol.k}, ${task === 'knn' ? protocol.pooling : protocol.distance}, ${size}`;
}

function metricText(name: string, value: number, interval: readonly [number, number] | undefined): string {
  if (name === 'daviesBouldin') return value.toFixed(2);
  return `${value.toFixed(1)} %${interval ? ` (${interval[0].toFixed(1)} to ${interval[1].toFixed(1)})` : ''}`;
}
