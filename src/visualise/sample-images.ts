import { availableParallelism } from 'node:os';
import type { Dataset } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import type { Raster } from '../data/resample.js';
import type { View } from '../data/views.js';

/** One picture of a data set, and what to write below it. */
export interface SampleImage {
  /** Square, 8-bit RGB. */
  readonly picture: Raster;
  /** Its class, where the data set has classes, otherwise its name without folders. */
  readonly caption: string;
  /** Its place in the data set. */
  readonly index: number;
}

/** Which pictures: `count` spread evenly, all where there are fewer; `seed` decides over random crops. */
export interface SampleOptions {
  readonly count: number;
  readonly seed?: number;
}

/** Pictures decoded at once. */
const BATCH = 16;

/**
 * Pictures spread evenly over a data set, cut as `view` says.
 *
 * @throws DataError when too many images cannot be read.
 */
export async function sampleImages(dataset: Dataset, view: View, options: SampleOptions): Promise<SampleImage[]> {
  const samples: SampleImage[] = [];
  for await (const batch of streamSamples(dataset, view, options)) samples.push(...batch);
  return samples;
}

/** The same a few at a time, for more pictures than fit into memory. */
export async function* streamSamples(
  dataset: Dataset,
  view: View,
  options: SampleOptions,
): AsyncGenerator<SampleImage[]> {
  const count = Math.min(options.count, dataset.size);
  const stride = Math.floor(dataset.size / count);
  const order = Array.from({ length: count }, (_, place) => place * stride);
  yield* streamImages(dataset, view, order, options.seed);
}

/** The pictures at some places of a data set, in that order. @throws as `sampleImages`. */
export async function imagesAt(dataset: Dataset, view: View, order: readonly number[]): Promise<SampleImage[]> {
  const images: SampleImage[] = [];
  for await (const batch of streamImages(dataset, view, order)) images.push(...batch);
  return images;
}

async function* streamImages(
  dataset: Dataset,
  view: View,
  order: readonly number[],
  seed = 0,
): AsyncGenerator<SampleImage[]> {
  const loader = new Loader({
    dataset,
    views: [view],
    batchSize: Math.min(BATCH, order.length),
    order,
    seed,
    workers: order.length > BATCH ? Math.min(8, availableParallelism()) : 1,
    prefetch: 1,
  });
  try {
    for await (const batch of loader) {
      yield Array.from(batch.indices, (index, place) => {
        const data = batch.images.slice(place * batch.sampleBytes, (place + 1) * batch.sampleBytes);
        const caption = dataset.classes?.[batch.labels[place]!] ?? baseName(dataset.item(index).name);
        return { picture: { data, width: view.size, height: view.size }, caption, index };
      });
    }
  } finally {
    await loader.close();
  }
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
