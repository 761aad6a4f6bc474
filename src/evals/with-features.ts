import type { Dataset } from '../data/dataset.js';
import { type ExtractOptions, extractFeatures, type Features } from '../features/extract.js';
import type { EvaluateOptions, KnnOptions, SegmentKnnOptions } from './evaluation.js';

/**
 * Features of the training and the test images of an evaluation, for `use`, which may change them; freed afterwards.
 *
 * @throws as `extractFeatures` and `use`.
 */
export async function withFeatures<Result>(
  options: KnnOptions | SegmentKnnOptions,
  what: Pick<ExtractOptions, 'view' | 'kinds' | 'pixels'>,
  use: (train: Features, test: Features) => Result,
): Promise<Result> {
  const train = await extractOne(options, what, options.train, 'train');
  try {
    const test = await extractOne(options, what, options.test, 'test');
    try {
      return use(train, test);
    } finally {
      test.dispose();
    }
  } finally {
    train.dispose();
  }
}

/** Images that counted and images that could not be read. */
export function imageCounts(train: Features, test: Features): Record<string, number> {
  return {
    trainImages: train.count,
    testImages: test.count,
    brokenImages: train.broken.length + test.broken.length,
  };
}

/** Features of one data set; the caller disposes of them. @throws as `extractFeatures`. */
export function extractOne(
  options: EvaluateOptions,
  what: Pick<ExtractOptions, 'view' | 'kinds' | 'pixels'>,
  dataset: Dataset,
  stage: 'train' | 'test',
): Promise<Features> {
  const { encoder, size, batchSize, workers, device, onProgress } = options;
  return extractFeatures({
    encoder,
    dataset,
    size,
    ...what,
    ...(batchSize !== undefined && { batchSize }),
    ...(workers !== undefined && { workers }),
    ...(device !== undefined && { device }),
    ...(onProgress && { onProgress: (done, total) => onProgress(stage, done, total) }),
  });
}
