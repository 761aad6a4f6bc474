import type { Random } from '../support/random.js';
import type { PixelOperation } from './pixel-operations.js';
import { drawRandAugment, type RandAugment } from './rand-augment.js';

/**
 * Random changes of colours and sharpness, in this order; probabilities in [0, 1], and what is left out never happens.
 *
 * - `jitter`: brightness, contrast and saturation by factors within 1 -+ the number given, hue by a share of the circle
 *   within -+ it, the four in random order.
 * - `blur`: Gaussian, standard deviation in pixels uniform in `sigma`.
 * - `greyscale`, and `solarize`: values from 128 on are inverted.
 * - `randAugment`: some of fifteen operations.
 */
export interface Augmentation {
  jitter?: { probability: number; brightness: number; contrast: number; saturation: number; hue: number };
  blur?: { probability: number; sigma: readonly [number, number] };
  greyscale?: { probability: number };
  solarize?: { probability: number };
  randAugment?: RandAugment;
}

const BYOL_JITTER = { probability: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1 };
const BYOL_SIGMA = [0.1, 2] as const;
const SOLARIZE_THRESHOLD = 128;

/**
 * What MIM-Refiner's runs do to the first global view, the second one, and the local views.
 *
 * @see zztemplates/datasets/imagenet of the published MIM-Refiner code, `byolaug_localviews`
 */
export const byolAugmentations = {
  global0: { jitter: BYOL_JITTER, blur: { probability: 1, sigma: BYOL_SIGMA }, greyscale: { probability: 0.2 } },
  global1: {
    jitter: BYOL_JITTER,
    blur: { probability: 0.1, sigma: BYOL_SIGMA },
    greyscale: { probability: 0.2 },
    solarize: { probability: 0.2 },
  },
  local: { jitter: BYOL_JITTER, blur: { probability: 0.5, sigma: BYOL_SIGMA }, greyscale: { probability: 0.2 } },
} as const satisfies Record<string, Augmentation>;

/** The random numbers that an augmentation needs; `Random` has them. */
export type AugmentationDraws = Pick<Random, 'uniform' | 'shuffle' | 'integer' | 'normal'>;

/**
 * What happens to one picture. Draws in the order of the published code: for each part whether it happens (nothing where
 * it always does), then its order and strengths.
 */
export function drawAugmentation(
  { jitter, blur, greyscale, solarize, randAugment }: Augmentation,
  draws: AugmentationDraws,
): PixelOperation[] {
  const happens = (part: { probability: number } | undefined) =>
    part !== undefined && (part.probability === 1 || draws.uniform() < part.probability);
  const operations: PixelOperation[] = [];
  if (jitter && happens(jitter)) {
    const order = draws.shuffle([0, 1, 2, 3]);
    const factor = (strength: number) => draws.uniform(1 - strength, 1 + strength);
    const jitters: PixelOperation[] = [
      { kind: 'brightness', factor: factor(jitter.brightness) },
      { kind: 'contrast', factor: factor(jitter.contrast) },
      { kind: 'saturation', factor: factor(jitter.saturation) },
      { kind: 'hue', shift: draws.uniform(-jitter.hue, jitter.hue) },
    ];
    operations.push(...order.map((place) => jitters[place]!));
  }
  if (blur && happens(blur)) operations.push({ kind: 'blur', sigma: draws.uniform(...blur.sigma) });
  if (happens(greyscale)) operations.push({ kind: 'greyscale' });
  if (happens(solarize)) operations.push({ kind: 'solarize', threshold: SOLARIZE_THRESHOLD });
  if (randAugment) operations.push(...drawRandAugment(randAugment, draws));
  return operations;
}
