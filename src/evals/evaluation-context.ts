import { availableParallelism } from 'node:os';
import type { Dataset } from '../data/dataset.js';
import { extractFeatures, type Features } from '../features/extract.js';
import type { FeatureCache } from '../features/feature-cache.js';
import type { ImageEncoder } from '../models/encoder.js';
import type { DataRole, EvaluationContext, FeatureRequest } from './task.js';

/** What an evaluation works with, whatever its task. */
export interface EvaluationSettings {
  /** Side of the images in pixels, a multiple of the patch size. */
  readonly size: number;
  /** Seed of everything drawn (0). */
  readonly seed?: number | undefined;
  /** Resamples behind an interval (1000). */
  readonly resamples?: number | undefined;
  /** Images embedded at once (64), and threads that decode them (one a core, at most 8). */
  readonly batchSize?: number | undefined;
  readonly workers?: number | undefined;
  /** Where the encoder is (`cpu`). */
  readonly device?: string | undefined;
  /** Where features are looked for and kept; nowhere unless given. */
  readonly cache?: FeatureCache | undefined;
  /**
   * Called as a stage goes on: images of a data set (`train`, `test`, `floor train`, …) pass through the encoder, or what
   * else a task does.
   */
  readonly onProgress?: ((stage: string, done: number, total: number, unit: string, note?: string) => void) | undefined;
}

/**
 * The context of one encoder for `use`; what was extracted for it is freed afterwards.
 *
 * @param prefix of the stages that `onProgress` is told
 * @throws as `use`.
 */
export async function withContext<Result>(
  settings: EvaluationSettings,
  encoder: ImageEncoder,
  data: Readonly<Record<DataRole, Dataset>>,
  prefix: string,
  use: (context: EvaluationContext) => Promise<Result>,
): Promise<Result> {
  const { size, seed = 0, resamples = 1000, batchSize = 64, device = 'cpu', cache, onProgress } = settings;
  const { workers = Math.min(8, availableParallelism()) } = settings;
  const extracted = new Map<string, Features>();
  const progress: EvaluationContext['progress'] = (stage, done, total, unit = 'images', note) =>
    onProgress?.(`${prefix}${stage}`, done, total, unit, note);
  const features = async (role: DataRole, what: FeatureRequest) => {
    const key = JSON.stringify([role, what.view, what.kinds, what.blocks ?? null, what.pixels ?? false]);
    const before = extracted.get(key);
    if (before) return before;
    const found = await extractFeatures({
      ...{ encoder, dataset: data[role], size, batchSize, workers, device, cache, ...what },
      onProgress: (done, total) => progress(role, done, total),
    });
    extracted.set(key, found);
    return found;
  };
  try {
    return await use({ encoder, data, size, seed, resamples, batchSize, workers, device, features, progress });
  } finally {
    for (const found of extracted.values()) found.dispose();
  }
}
