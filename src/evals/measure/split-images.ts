import { roundHalfEven } from '../../data/views.js';
import { UsageError } from '../../support/errors.js';
import { generatorPermutation } from '../../support/numpy-random.js';

/**
 * Images to train on and images to choose on, in random order.
 * @throws {UsageError} fewer than `least` are left to train on.
 */
export function splitImages(count: number, share: number, { seed, least }: { seed: number; least: number }) {
  const order = [...generatorPermutation(count, seed)];
  const training = roundHalfEven((1 - share) * count);
  if (training < least) {
    throw new UsageError(`Expected at least ${least} images to train on, ${training} of ${count} are left.`, {
      hint: 'Give more training images, or a smaller --val-share.',
    });
  }
  return { trainIndices: order.slice(0, training), valIndices: order.slice(training) };
}
