import { type ExtractOptions, extractFeatures, type Features } from '../features/extract.js';
import type { EvaluateOptions } from './evaluation.js';

/**
 * Features of the training and the test images of an evaluation, for `use`, which may change them; freed afterwards.
 *
 * @throws as `extractFeatures` and `use`.
 */
export async function withFeatures<Result>(
  options: EvaluateOptions,
  what: Pick<ExtractOptions, 'view' | 'kinds' | 'pixels'>,
  use: (train: Features, test: Features) => Result,
): Promise<Result> {
  const train = await extractOne(options, what, 'train');
  try {
    const test = await extractOne(options, what, 'test');
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

function extractOne(
  options: EvaluateOptions,
  what: Pick<ExtractOptions, 'view' | 'kinds' | 'pixels'>,
  stage: 'train' | 'test',
): Promise<Features> {
  const { encoder, size, batchSize, workers, device, onProgress } = options;
  return extractFeatures({
    encoder,
    dataset: options[stage],
    size,
    ...what,
    ...(batchSize !== undefined && { batchSize }),
    ...(workers !== undefined && { workers }),
    ...(device !== undefined && { device }),
    ...(onProgress && { onProgress: (done, total) => onProgress(stage, done, total) }),
  });
}
