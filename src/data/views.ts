import { UsageError } from '../support/errors.js';
import type { Random } from '../support/random.js';
import type { Augmentation } from './augment.js';
import type { Box, Geometry } from './resample.js';

/**
 * How a square picture is cut out of an image; all resizing is bicubic with Pillow's arithmetic.
 *
 * - `random-resized-crop`: torchvision's RandomResizedCrop, then a horizontal flip with probability one half if `flip`.
 *   `scale` is the range of the share of the area, `ratio` that of width / height (3/4 to 4/3 when left out). Its colours
 *   are changed as `augment` says.
 * - `resize`: exactly size x size, aspect not kept (segmentation).
 * - `resize-centre-crop`: short side to `resize`, then the central size x size (classification).
 */
export type View =
  | {
      kind: 'random-resized-crop';
      size: number;
      scale: readonly [number, number];
      ratio?: readonly [number, number];
      flip: boolean;
      augment?: Augmentation;
    }
  | { kind: 'resize'; size: number }
  | { kind: 'resize-centre-crop'; resize: number; size: number };

/** The random numbers that a view needs; `Random` has them. */
type Draws = Pick<Random, 'uniform' | 'integer'>;

const DEFAULT_RATIO = [3 / 4, 4 / 3] as const;

/** Where `view` cuts an image of width x height; takes what it needs from `draws`, in a fixed order. */
export function viewGeometry(view: View, width: number, height: number, draws: Draws): Geometry {
  const whole: Box = { left: 0, top: 0, width, height };
  const square: Box = { left: 0, top: 0, width: view.size, height: view.size };
  if (view.kind === 'random-resized-crop') {
    const box = randomCropBox(width, height, view.scale, view.ratio ?? DEFAULT_RATIO, draws);
    const flip = view.flip && draws.uniform() < 0.5;
    return { box, width: view.size, height: view.size, window: square, flip };
  }
  if (view.kind === 'resize') {
    return { box: whole, width: view.size, height: view.size, window: square, flip: false };
  }
  const [resizedWidth, resizedHeight] = shortSideTo(width, height, view.resize);
  const window = {
    left: roundHalfEven((resizedWidth - view.size) / 2),
    top: roundHalfEven((resizedHeight - view.size) / 2),
    width: view.size,
    height: view.size,
  };
  return { box: whole, width: resizedWidth, height: resizedHeight, window, flip: false };
}

/**
 * torchvision's `RandomResizedCrop.get_params`: up to ten tries with the area uniform in `scale` and the logarithm of
 * width / height uniform in that of `ratio`; then the largest centred box with an allowed ratio.
 */
export function randomCropBox(
  width: number,
  height: number,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  draws: Draws,
): Box {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * draws.uniform(scale[0], scale[1]);
    const aspect = Math.exp(draws.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
    const w = roundHalfEven(Math.sqrt(area * aspect));
    const h = roundHalfEven(Math.sqrt(area / aspect));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const top = draws.integer(0, height - h);
      const left = draws.integer(0, width - w);
      return { left, top, width: w, height: h };
    }
  }
  const aspect = width / height;
  const w = aspect > ratio[1] ? Math.max(roundHalfEven(height * ratio[1]), 1) : width;
  const h = aspect < ratio[0] ? Math.max(roundHalfEven(width / ratio[0]), 1) : height;
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

/** torchvision's `Resize(size)`: width and height with the short side at `size`, the long one rounded down. */
export function shortSideTo(width: number, height: number, size: number): [number, number] {
  return width <= height ? [size, Math.trunc((size * height) / width)] : [Math.trunc((size * width) / height), size];
}

/** Refuses views that cannot be cut, all problems at once. @throws UsageError */
export function checkViews(views: readonly View[]): void {
  const problems: string[] = [];
  if (views.length === 0) problems.push('at least one view is needed');
  views.forEach((view, i) => {
    const say = (text: string) => problems.push(`view ${i} (${view.kind}): ${text}`);
    if (!Number.isInteger(view.size) || view.size < 1) say(`size must be a positive integer, not ${view.size}`);
    if (view.kind === 'resize-centre-crop' && !(Number.isInteger(view.resize) && view.resize >= view.size)) {
      say(`resize must be an integer of at least size ${view.size}, not ${view.resize}`);
    }
    if (view.kind !== 'random-resized-crop') return;
    const [low, high] = view.scale;
    if (!(low > 0 && low <= high && high <= 1)) say(`scale must satisfy 0 < low <= high <= 1, not ${low}, ${high}`);
    const [narrow, wide] = view.ratio ?? DEFAULT_RATIO;
    if (!(narrow > 0 && narrow <= wide)) say(`ratio must satisfy 0 < low <= high, not ${narrow}, ${wide}`);
    const { randAugment, ...parts } = view.augment ?? {};
    for (const [name, { probability }] of Object.entries(parts)) {
      if (!(probability >= 0 && probability <= 1))
        say(`${name}: the probability must be in [0, 1], not ${probability}`);
    }
    const { operations = 0, magnitude = 0 } = randAugment ?? {};
    if (!(Number.isInteger(operations) && operations >= 0 && magnitude >= 0 && magnitude <= 10))
      say(`randAugment: a whole number of operations, magnitude 0 to 10, not ${operations}, ${magnitude}`);
    const [least, most] = view.augment?.blur?.sigma ?? [0, 0];
    if (!(least >= 0 && least <= most)) say(`blur: sigma must satisfy 0 <= low <= high, not ${least}, ${most}`);
  });
  if (problems.length > 0) throw new UsageError(`The views cannot be cut:\n${problems.join('\n')}`);
}

/** Python's `round`: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
