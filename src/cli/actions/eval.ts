import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '../../data/dataset.js';
import { openDataset } from '../../data/spec.js';
import { evaluate } from '../../evals/evaluate.js';
import { findTask, type TaskName } from '../../evals/tasks.js';
import { FeatureCache } from '../../features/feature-cache.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { refreshReport } from '../../report/refresh-report.js';
import { saveRunPicture } from '../../report/run-pictures.js';
import { EventLog } from '../../runs/event-log.js';
import { RunFolder } from '../../runs/run-folder.js';
import { storageError, writeFileAtomic } from '../../support/atomic-file.js';
import { byteText } from '../../support/byte-text.js';
import { UsageError } from '../../support/errors.js';
import type { CommandResult } from '../output.js';
import { programName } from '../program-name.js';
import { evaluationCard } from './eval-card.js';
import { curvePicture, curveSvg } from './eval-curve.js';
import { type ModelResult, nameOf } from './model-result.js';
import { openModel } from './open-model.js';
import { openPrototypes } from './open-prototypes.js';
import { stagedProgress } from './staged-progress.js';

/** The checked options of `tessera eval`. */
export type EvalOptions = {
  readonly task: TaskName;
  /** At least one. */
  readonly models: readonly string[];
  /** Specs by role, those that the task needs. */
  readonly data: Readonly<Record<string, string>>;
  readonly weights: 'student' | 'teacher';
  readonly withFloor: boolean;
  readonly size: number | undefined;
  readonly seed: number | undefined;
  readonly out: string | undefined;
  readonly device: string | undefined;
  readonly threads: number | undefined;
  readonly workers: number | undefined;
  /** Whether features are kept on the disk, where, and at most how many gigabytes. */
  readonly cache: boolean;
  readonly cacheFolder: string | undefined;
  readonly cacheLimit: number | undefined;
  /** The task's own. */
  readonly own: Readonly<Record<string, unknown>>;
};

/**
 * `tessera eval`: JSON is the `EvaluationResult` with `model` and `weights`, or of several models `task` and `results`, a
 * list of these. Writes it to `OUT/<task>.json`, and into the events of the runs among the models.
 */
export async function evaluateModels(options: EvalOptions): Promise<CommandResult> {
  const { task, models, out } = options;
  const data: Record<string, Dataset> = {};
  for (const [role, spec] of Object.entries(options.data)) data[role] = await openDataset(spec);
  const cache = options.cache ? await openCache(options) : undefined;
  const results: ModelResult[] = [];
  for (const model of models) results.push(await evaluateModel(options, model, data, cache));
  const json = results.length === 1 ? results[0] : { task, results };
  const path = out === undefined ? undefined : writeJson(out, `${task}.json`, json);
  await keepCurves(options, results);
  logEvaluations(options, results);
  return { card: evaluationCard(results, cacheText(cache), path), json };
}

async function evaluateModel(
  options: EvalOptions,
  model: string,
  data: Readonly<Record<string, Dataset>>,
  cache: FeatureCache | undefined,
): Promise<ModelResult> {
  const { task, weights, device, models, own, seed, workers } = options;
  const opened = await openModel(model, options);
  let floor: ImageEncoder | undefined;
  using progress = stagedProgress(models.length > 1 ? `${model}: ` : '');
  try {
    if (options.withFloor && opened.untrained && models.length === 1) {
      throw new UsageError(`--with-floor compares with an untrained encoder, and ${model} is one.`, {
        hint: 'Leave --with-floor out.',
      });
    }
    if (options.withFloor && !opened.untrained) {
      floor = (await openModel(`random:${model}`, { weights, device })).encoder;
    }
    // The prototypes are of the teacher's features.
    const asked = weights === 'teacher' && findTask(task)!.prototypes;
    using prototypes = asked ? await openPrototypes(model, device) : undefined;
    const result = await evaluate({
      task,
      options: own,
      encoder: opened.encoder,
      prototypes: prototypes?.scoresOf,
      floor,
      data: data as Record<'train' | 'test', Dataset>,
      size: options.size ?? opened.size,
      ...{ seed, workers, device, cache },
      onProgress: progress.update,
    });
    return { ...result, model, weights };
  } finally {
    opened.encoder.dispose();
    floor?.dispose();
  }
}

/** Curves as `OUT/<task>.svg`, and as pictures of the runs among the models. */
async function keepCurves({ task: name, models, out }: EvalOptions, results: readonly ModelResult[]): Promise<void> {
  const task = findTask(name)!;
  const svg = curveSvg(task, results);
  if (svg === undefined) return;
  if (out !== undefined) writeFileAtomic(join(out, `${name}.svg`), svg);
  const runs = models.filter((model) => RunFolder.isRun(model)).map((model) => RunFolder.open(model));
  if (runs.length === 0) return;
  const { svgToPng } = await import('../../visualise/rasterise-svg.js');
  const { along } = results.find(({ curve }) => curve !== undefined)!.curve!;
  for (const run of runs) saveRunPicture(run, name, curvePicture(task, along, svgToPng(svg)));
}

function openCache({ cacheFolder, cacheLimit }: EvalOptions): Promise<FeatureCache> {
  return FeatureCache.open({ folder: cacheFolder, limit: cacheLimit === undefined ? undefined : cacheLimit * 1e9 });
}

/** What the cache did, for the card: what was read, what lies where now. */
function cacheText(cache: FeatureCache | undefined): string {
  if (cache === undefined) return 'kept nowhere';
  const { found, made, removed } = cache.counts;
  const did = [
    found > 0 && `${found} read`,
    made > 0 && `${made} written`,
    removed > 0 && `${removed} long unused removed`,
  ].filter(Boolean);
  const share = `${byteText(cache.size())} of ${byteText(cache.limit)}`;
  return `${did.join(', ') || 'none kept'} in ${cache.folder} (${share})`;
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

/** Into the events of the runs among the models, with the others beside each; their reports are written anew. */
function logEvaluations({ models }: EvalOptions, results: readonly ModelResult[]): void {
  for (const [at, model] of models.entries()) {
    if (!RunFolder.isRun(model)) continue;
    const run = RunFolder.open(model);
    const log = new EventLog(run.events);
    const { task, weights, metrics, intervals, floor, floorIntervals, protocol } = results[at]!;
    const others = results.filter((_, other) => other !== at);
    try {
      log.append({
        type: 'evaluation',
        step: run.latestCheckpoint()?.step ?? 0,
        task,
        encoder: weights,
        on: String(protocol.test),
        metrics,
        intervals,
        ...(floor && { floor, floorIntervals }),
        ...(others.length > 0 && {
          beside: others.map((other) => ({
            model: nameOf(other),
            metrics: other.metrics,
            intervals: other.intervals,
          })),
        }),
      });
    } finally {
      log.close();
    }
    refreshReport(run, programName());
  }
}
