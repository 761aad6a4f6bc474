import type { Dataset } from '../data/dataset.js';
import type { View } from '../data/views.js';
import type { ImageEncoder } from '../models/encoder.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { type EmbedPicturesOptions, patchFeatures } from './embed-pictures.js';
import {
  type ComponentOptions,
  componentsOf,
  disposeComponents,
  type FeatureMoments,
  mergeMoments,
  momentsOf,
  type PrincipalComponents,
  principalScores,
  tailsOf,
  turned,
} from './principal-components.js';
import { streamSamples } from './sample-images.js';

/** What components of a data set are computed from. */
export interface DatasetComponentOptions extends EmbedPicturesOptions {
  readonly dataset: Dataset;
  /** Images to take, spread evenly over the data set; all where it has fewer. */
  readonly images: number;
  readonly view: View;
  readonly encoder: ImageEncoder;
  readonly components: ComponentOptions;
  /** Images done; every image is embedded twice. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Principal components of the patches of a data set, one batch of images in memory: a first pass over the images gives
 * their mean and covariance, a second one the tails of the scores, on which the signs depend.
 *
 * @throws as `patchFeatures`, and DataError when too many images cannot be read.
 */
export async function datasetComponents(options: DatasetComponentOptions): Promise<PrincipalComponents> {
  const total = 2 * Math.min(options.images, options.dataset.size);
  const moments = await overPatches<FeatureMoments>(options, [0, total], (features_SD, before) => {
    const part = momentsOf(features_SD);
    if (before === undefined) return part;
    const merged = mergeMoments(before, part);
    disposeMoments(before);
    return merged;
  });
  const unsigned = componentsOf(moments, options.components);
  disposeMoments(moments);
  try {
    const tails = await overPatches<number[]>(options, [total / 2, total], (features_SD, before) =>
      tailsOf(principalScores(features_SD, unsigned)).map((tail, c) => tail + (before?.[c] ?? 0)),
    );
    return turned(unsigned, tails);
  } finally {
    disposeComponents(unsigned);
  }
}

/** Folds the patch features of all images into one value. */
async function overPatches<T>(
  options: DatasetComponentOptions,
  [begun, total]: readonly [number, number],
  fold: (features_SD: Tensor, before: T | undefined) => T,
): Promise<T> {
  let value: T | undefined;
  let done = begun;
  for await (const batch of streamSamples(options.dataset, options.view, { count: options.images })) {
    const pictures = batch.map(({ picture }) => picture);
    value = scope(() => fold(ops.flatten(patchFeatures(pictures, options.encoder, options), 0, 2), value));
    done += batch.length;
    options.onProgress?.(done, total);
  }
  return value!;
}

function disposeMoments({ mean_D, scatter_DD }: FeatureMoments): void {
  for (const tensor of [mean_D, scatter_DD]) tensor.dispose();
}
