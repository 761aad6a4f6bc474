import type { Dataset } from '../../data/dataset.js';
import { Loader } from '../../data/loader.js';
import type { View } from '../../data/views.js';
import { askedImages, askedLabels } from '../../features/asked-images.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import type { ProbeFeatures } from './probe-heads.js';
import { type ProbeSource, readSources } from './probe-sources.js';

/** Which images are encoded, and how. */
export interface EncodeOptions {
  readonly encoder: ImageEncoder;
  readonly sources: readonly ProbeSource[];
  readonly dataset: Dataset;
  /** Indices into the data set; may be endless. */
  readonly order: Iterator<number>;
  readonly view: View;
  readonly seed: number;
  readonly batchSize: number;
  readonly workers: number;
  readonly device: string;
}

/** Features of a batch, which the receiver disposes of. */
export interface EncodedBatch {
  /** Images that were dealt with, broken ones included. */
  readonly size: number;
  readonly features: ProbeFeatures;
  /** Class ids of the images that could be read, in their order. */
  readonly labels: Int32Array;
  dispose(): void;
}

/**
 * Images as features, batch by batch; broken ones are left out.
 * @throws {DataError} too many images are broken.
 */
export async function* encodedImages(options: EncodeOptions): AsyncGenerator<EncodedBatch, void, undefined> {
  const { encoder, sources, dataset, order, view, seed, batchSize, workers, device } = options;
  const loader = new Loader({ dataset, views: [view], batchSize, order, seed, workers });
  try {
    for await (const batch of loader) {
      // What replaces a broken image may be one of those that are held out.
      const features =
        batch.asked.length === 0
          ? new Map<string, Tensor>()
          : scope(() => readSources(encoder, sources, askedImages(batch, view.size, device)));
      yield {
        size: batch.size,
        features,
        labels: askedLabels(batch),
        dispose: () => {
          for (const tensor of features.values()) tensor.dispose();
        },
      };
    }
  } finally {
    await loader.close();
  }
}
