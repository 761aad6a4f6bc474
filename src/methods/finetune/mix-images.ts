// B images · C classes · Y X pixels
import type { Random } from '../../support/random.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../tensor/tensor.js';
import type { Box } from './random-erasing.js';

/** How all images of a batch are mixed, each with the one at the mirrored place. */
export interface Mix {
  /** What remains of an image and its label, in [0, 1]. */
  readonly share: number;
  /** The box that comes from the other image; absent, all pixels are blended. */
  readonly box?: Box;
}

/** Alphas of the distributions Beta(α, α) of shares; 0: never. */
export interface MixOptions {
  readonly mixup: number;
  readonly cutmix: number;
}

/** The random numbers that a mix needs. */
export type MixDraws = Pick<Random, 'uniform' | 'integer'>;

/**
 * The mix of a batch of square images with side `size`, or undefined where both alphas are 0. Sources: timm data/mixup.py
 * (mode `batch`); MIM-Refiner's `kd_mix_collator` (one share a batch, partners in reversed order).
 */
export function drawMix({ mixup, cutmix }: MixOptions, size: number, draws: MixDraws): Mix | undefined {
  if (mixup === 0 && cutmix === 0) return undefined;
  const cuts = cutmix > 0 && (mixup === 0 || draws.uniform() < 0.5);
  const share = symmetricBeta(cuts ? cutmix : mixup, draws);
  if (!cuts) return { share };
  const side = Math.trunc(size * Math.sqrt(1 - share));
  const box = boxAround(draws.integer(0, size - 1), draws.integer(0, size - 1), side, size);
  // The box may reach over the edge: what is left of it counts.
  return { share: 1 - (box.height * box.width) / size ** 2, box };
}

/** A square box, cut at the edges of the image. */
function boxAround(y: number, x: number, side: number, size: number): Box {
  const [before, after] = [Math.floor(side / 2), Math.floor((side + 1) / 2)];
  const [top, left] = [Math.max(0, y - before), Math.max(0, x - before)];
  return { top, left, height: Math.min(size, y + after) - top, width: Math.min(size, x + after) - left };
}

/** A deviate from Beta(α, α), 0 < α ≤ 4. Source: Jöhnk (1964). */
export function symmetricBeta(alpha: number, draws: Pick<Random, 'uniform'>): number {
  for (;;) {
    const [x, y] = [draws.uniform() ** (1 / alpha), draws.uniform() ** (1 / alpha)];
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

/** Mixed images (B, 3, Y, X). */
export function mixImages(images_B3YX: Tensor, { share, box }: Mix): Tensor {
  return scope(() =>
    noGrad(() => {
      const others_B3YX = ops.flip(images_B3YX, [0]);
      if (box === undefined) return ops.add(ops.mul(images_B3YX, share), ops.mul(others_B3YX, 1 - share));
      const mixed = ops.clone(images_B3YX);
      ops.copy_(inside(mixed, box), inside(others_B3YX, box));
      return mixed;
    }),
  );
}

function inside(images_B3YX: Tensor, { top, left, height, width }: Box): Tensor {
  return ops.narrow(ops.narrow(images_B3YX, 2, top, height), 3, left, width);
}

/**
 * What the classifier should say (B, C), float64 on the CPU: `smoothing` of every target is spread over all classes, then
 * targets are mixed as the images are. Source: timm data/mixup.py `mixup_target`.
 */
export function mixedTargets(labels: Int32Array, classes: number, smoothing: number, share = 1): Tensor {
  const targets = new Float64Array(labels.length * classes).fill(smoothing / classes);
  for (const [row, label] of labels.entries()) {
    targets[row * classes + label]! += (1 - smoothing) * share;
    targets[(labels.length - 1 - row) * classes + label]! += (1 - smoothing) * (1 - share);
  }
  return Tensor.from(targets, [labels.length, classes]);
}
