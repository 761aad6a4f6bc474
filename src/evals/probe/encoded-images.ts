// B images of a batch · S side in pixels
import type { Dataset } from '../../data/dataset.js';
import { type ImageBatch, Loader } from '../../data/loader.js';
import type { View } from '../../data/views.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { normaliseImages } from '../../models/patches.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
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
  const { encoder, sources, dataset, view, seed, batchSize, workers, device } = options;
  const asked: number[] = [];
  const order = noted(options.order, asked);
  const loader = new Loader({ dataset, views: [view], batchSize, order, seed, workers });
  try {
    for await (const batch of loader) {
      const expected = asked.splice(0, batch.size);
      // The loader puts a readable image in the place of a broken one, perhaps one of those that are held out.
      const rows = expected.flatMap((index, row) => (batch.indices[row] === index ? [row] : []));
      const features =
        rows.length === 0
          ? new Map<string, Tensor>()
          : scope(() => readSources(encoder, sources, imagesOf(batch, rows, view.size, device)));
      yield {
        size: batch.size,
        features,
        labels: Int32Array.from(rows, (row) => batch.labels[row]!),
        dispose: () => {
          for (const tensor of features.values()) tensor.dispose();
        },
      };
    }
  } finally {
    await loader.close();
  }
}

function* noted(order: Iterator<number>, taken: number[]): IterableIterator<number> {
  for (let next = order.next(); !next.done; next = order.next()) {
    taken.push(next.value);
    yield next.value;
  }
}

function imagesOf(batch: ImageBatch, rows: readonly number[], size: number, device: string): Tensor {
  return scope(() => {
    const all_BSS3 = Tensor.from(batch.images, [batch.size, size, size, 3]);
    const kept = Tensor.from(Int32Array.from(rows), [rows.length]);
    const images_BSS3 = rows.length === batch.size ? all_BSS3 : ops.indexSelect(all_BSS3, 0, kept);
    return normaliseImages(ops.toDevice(images_BSS3, device, 'uint8'));
  });
}
