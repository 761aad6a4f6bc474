// B images · Y X pixels
import type { Random } from '../../support/random.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';

/** Pixels of a square image. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Share of the image's area that a box covers. */
const AREA = [0.02, 1 / 3] as const;
/** Of height to width. */
const RATIO = [0.3, 1 / 0.3] as const;
const TRIES = 10;

/**
 * The box to erase of a square image with side `size`, if any: up to ten tries with the area uniform and the logarithm of the
 * ratio of the sides uniform. Draws as timm does (data/random_erasing.py, mode `pixel`, one box).
 */
export function drawErasedBox(
  probability: number,
  size: number,
  draws: Pick<Random, 'uniform' | 'integer'>,
): Box | undefined {
  if (draws.uniform() > probability) return undefined;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const area = draws.uniform(...AREA) * size * size;
    const ratio = Math.exp(draws.uniform(Math.log(RATIO[0]), Math.log(RATIO[1])));
    const height = Math.round(Math.sqrt(area * ratio));
    const width = Math.round(Math.sqrt(area / ratio));
    if (height >= size || width >= size) continue;
    return { top: draws.integer(0, size - height), left: draws.integer(0, size - width), height, width };
  }
  return undefined;
}

/** Replaces a box of each image (B, 3, Y, X) by normal deviates, in place; images without a box stay. */
export function eraseBoxes(images_B3YX: Tensor, boxes: readonly (Box | undefined)[], noise: Generator): void {
  scope(() =>
    noGrad(() => {
      for (const [image, box] of boxes.entries()) {
        if (box === undefined) continue;
        const rows = ops.narrow(ops.select(images_B3YX, 0, image), 1, box.top, box.height);
        const erased: Tensor = ops.narrow(rows, 2, box.left, box.width);
        ops.normal_(erased, 0, 1, noise);
      }
    }),
  );
}
