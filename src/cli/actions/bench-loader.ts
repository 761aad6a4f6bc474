import { availableParallelism } from 'node:os';
import { infiniteSampler } from '../../data/infinite-sampler.js';
import { Loader } from '../../data/loader.js';
import { PixelCache } from '../../data/pixel-cache.js';
import { openDataset } from '../../data/spec.js';
import { byteText } from '../../support/byte-text.js';
import { numberText } from '../../support/number-text.js';
import { type CommandResult, cardText } from '../output.js';

/** The checked options of `tessera bench loader`. */
export type BenchLoaderOptions = {
  readonly data: string;
  readonly size: number | undefined;
  readonly batch: number | undefined;
  readonly workers: number | undefined;
  readonly images: number | undefined;
  readonly cache?: 'none' | 'memory' | undefined;
};

/**
 * `tessera bench loader`: image files to training batches (random crops, flipped), without training. With a cache the whole
 * set is decoded before.
 */
export async function benchLoader(options: BenchLoaderOptions): Promise<CommandResult> {
  const { size = 224, batch = 64, workers = availableParallelism(), images = 2048 } = options;
  const dataset = await openDataset(options.data);
  const cache = options.cache === 'memory' ? new PixelCache(dataset.size) : undefined;
  const loader = new Loader({
    dataset,
    views: [{ kind: 'random-resized-crop', size, scale: [0.6, 1], flip: true }],
    batchSize: batch,
    order: infiniteSampler({ size: dataset.size, seed: 0 }),
    seed: 0,
    workers,
    cache,
  });
  const warmUp = cache ? Math.ceil(dataset.size / batch) + 2 : 2;
  const batches = Math.max(1, Math.round(images / batch));
  let started = 0;
  try {
    for (let taken = 0; taken < warmUp + batches; taken++) {
      if (taken === warmUp) started = performance.now();
      await loader.next();
    }
  } finally {
    await loader.close();
  }
  const seconds = (performance.now() - started) / 1000;
  const imagesPerSecond = (batches * batch) / seconds;
  const card = cardText(`loader · ${options.data}, crops of ${size} px, ${workers} workers`, [
    ['speed', `${numberText(imagesPerSecond, 3)} images/s`],
    ['batches', `${batches} of ${batch} images, after ${warmUp} to warm up`],
    ['kept', cache && `${cache.size} decoded images, ${byteText(cache.bytes)}`],
    ['broken', loader.brokenCount > 0 ? `${loader.brokenCount} images` : undefined],
  ]);
  return {
    card,
    json: {
      data: options.data,
      size,
      batch,
      workers,
      imagesPerSecond,
      seconds,
      ...(cache && { cachedBytes: cache.bytes }),
    },
  };
}
