// S patches · D width
import type { Dataset } from '../data/dataset.js';
import type { View } from '../data/views.js';
import type { ImageEncoder } from '../models/encoder.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';
import { type EmbedPicturesOptions, patchFeatures } from './embed-pictures.js';
import { streamSamples } from './sample-images.js';

/** Which patches are taken. */
export interface CollectPatchesOptions extends EmbedPicturesOptions {
  readonly dataset: Dataset;
  readonly view: View;
  readonly encoder: ImageEncoder;
  /** Images to take, spread evenly over the data set. */
  readonly images: number;
  /** Patches to take at most, spread evenly over those of every image (65536: 100 MB of a ViT-S). */
  readonly limit?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Patch features (S, D) of images of a data set, float32 on the CPU; the caller owns them.
 *
 * @throws as `patchFeatures`, and DataError when too many images cannot be read.
 */
export async function collectPatches(options: CollectPatchesOptions): Promise<Tensor> {
  const { dataset, view, encoder, limit = 65536, onProgress } = options;
  const total = Math.min(options.images, dataset.size);
  const parts: Tensor[] = [];
  let done = 0;
  try {
    for await (const batch of streamSamples(dataset, view, { count: options.images })) {
      const pictures = batch.map(({ picture }) => picture);
      parts.push(
        scope(() => {
          const features_NPD = ops.flatten(patchFeatures(pictures, encoder, options), 1, 2);
          const stride = Math.ceil((features_NPD.size(1) * total) / limit);
          const kept = Int32Array.from({ length: Math.ceil(features_NPD.size(1) / stride) }, (_, i) => i * stride);
          const places = ops.toDevice(Tensor.from(kept, [kept.length]), features_NPD.device, 'int32');
          return ops.toDevice(ops.flatten(ops.indexSelect(features_NPD, 1, places), 0, 1), 'cpu', 'float32');
        }),
      );
      done += batch.length;
      onProgress?.(done, total);
    }
    return ops.cat(parts);
  } finally {
    for (const part of parts) part.dispose();
  }
}
