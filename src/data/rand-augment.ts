import type { Random } from '../support/random.js';
import type { PixelOperation } from './pixel-operations.js';

/** How strongly RandAugment changes a picture. Published for fine-tuning: two operations, magnitude 9, deviation 0.5. */
export interface RandAugment {
  /** Operations drawn for a picture, with replacement; each then happens with probability one half. */
  readonly operations: number;
  /** Mean of the magnitude, from 0 to 10. */
  readonly magnitude: number;
  /** Its standard deviation. */
  readonly deviation: number;
}

type Draws = Pick<Random, 'uniform' | 'integer' | 'normal'>;

/** What is done with a strength between 0 and 1. `either` gives its argument one sign or the other. */
type Choice = (strength: number, either: (value: number) => number) => PixelOperation;

const enhance =
  (kind: 'saturation' | 'contrast' | 'brightness' | 'sharpness'): Choice =>
  (strength, either) => ({ kind, factor: Math.max(0.1, 1 + either(strength * 0.9)) });

const move =
  (kind: 'rotate' | 'shear-x' | 'shear-y' | 'translate-x' | 'translate-y', most: number): Choice =>
  (strength, either) => ({ kind, by: either(strength * most) });

const choices: readonly Choice[] = [
  () => ({ kind: 'autocontrast' }),
  () => ({ kind: 'equalize' }),
  () => ({ kind: 'solarize', threshold: 0 }), // all values: it inverts
  move('rotate', 30),
  (strength) => ({ kind: 'posterize', bits: 4 - Math.trunc(strength * 4) }),
  (strength) => ({ kind: 'solarize', threshold: 256 - Math.min(256, Math.trunc(strength * 256)) }),
  (strength) => ({ kind: 'solarize-add', add: Math.min(128, Math.trunc(strength * 110)) }),
  enhance('saturation'),
  enhance('contrast'),
  enhance('brightness'),
  enhance('sharpness'),
  move('shear-x', 0.3),
  move('shear-y', 0.3),
  move('translate-x', 0.45),
  move('translate-y', 0.45),
];

/**
 * RandAugment with strengths that grow with the magnitude. Source: timm auto_augment.py, `rand-m9-mstd0.5-inc1`; draws are in
 * its order.
 */
export function drawRandAugment({ operations, magnitude, deviation }: RandAugment, draws: Draws): PixelOperation[] {
  const chosen = Array.from({ length: operations }, () => choices[draws.integer(0, choices.length - 1)]!);
  return chosen.flatMap((choice) => {
    if (draws.uniform() > 0.5) return [];
    const strength = Math.min(10, Math.max(0, magnitude + deviation * draws.normal())) / 10;
    return [choice(strength, (value) => (draws.uniform() > 0.5 ? -value : value))];
  });
}
