import type { Features } from '../../features/extract.js';

/** Images that counted and images that could not be read. */
export function imageCounts(train: Features, test: Features): Record<string, number> {
  return {
    trainImages: train.count,
    testImages: test.count,
    brokenImages: train.broken.length + test.broken.length,
  };
}
