import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as ops from '../../../src/tensor/ops.generated.js';
import { scope, type Tensor } from '../../../src/tensor/tensor.js';
import { patchColours, principalScores } from '../../../src/visualise/patch-colours.js';
import { goldensFolder, goldenTensors } from '../../support/goldens.js';

// Ours is the part of eval_tiny that belongs to these pictures; another set is whole.
const ours = existsSync(join(goldensFolder, 'eval_tiny_pca.safetensors'));
const golden = goldenTensors(ours ? 'eval_tiny_pca' : 'eval_tiny');
const at = (name: string): Tensor => golden.get(name)!;

/** Skewness mean(x³) / mean(x²)^1.5 of a column. */
function skewness(values: readonly number[]): number {
  const mean = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
  return mean(3) / mean(2) ** 1.5;
}

const column = (rows: ArrayLike<number>, index: number, count: number): number[] =>
  Array.from(rows).filter((_, i) => i % count === index);

/** Relative error over all columns; a column without skewness has no sign. */
function errorOf(actual: Float64Array, expected: readonly number[], count: number): number {
  let difference = 0;
  for (let c = 0; c < count; c++) {
    const [a, e] = [column(actual, c, count), column(expected, c, count)];
    const apart = (sign: number) => a.reduce((sum, value, i) => sum + (sign * value - e[i]!) ** 2, 0);
    difference += Math.abs(skewness(e)) < 1e-3 ? Math.min(apart(1), apart(-1)) : apart(1);
  }
  return Math.sqrt(difference / expected.reduce((sum, value) => sum + value ** 2, 0));
}

describe('principal components of patches, against eval_visualizations.py', () => {
  const features = at('viz.features');
  const images = Array.from({ length: features.size(0) }, (_, image) => image);

  it.each(images)('gives the scores of image %i alone', (image) => {
    const expected = at(`viz.whiten.sep.${image}.projected`);
    const scores = scope(() => principalScores(ops.flatten(ops.select(features, 0, image), 0, 1), expected.size(-1)));
    expect(errorOf(scores, expected.numbers(), expected.size(-1))).toBeLessThan(1e-4);
  });

  it('gives the scores of all images together', () => {
    const expected = at('viz.whiten.joint.projected');
    const scores = scope(() => principalScores(ops.flatten(features, 0, 2), expected.size(-1)));
    expect(errorOf(scores, expected.numbers(), expected.size(-1))).toBeLessThan(5e-3);
  });

  it.each(images)('gives the colours of image %i within one level', (image) => {
    const { alone, together } = patchColours(features);
    const pairs = [
      [alone[image]!, at(`viz.whiten.sep.${image}.rgb`), at(`viz.whiten.sep.${image}.projected`)],
      [together[image]!, at(`viz.whiten.joint.${image}.rgb`), at('viz.whiten.joint.projected')],
    ] as const;
    for (const [picture, rgb, scores] of pairs) {
      expect([picture.height, picture.width, 3]).toEqual(rgb.shape);
      for (let channel = 0; channel < 3; channel++) {
        if (Math.abs(skewness(column(scores.numbers(), channel, scores.size(-1)))) < 1e-3) continue;
        const expected = column(rgb.numbers(), channel, 3);
        const apart = column(picture.data, channel, 3).map((level, i) => Math.abs(level - expected[i]!));
        expect(Math.max(...apart)).toBeLessThanOrEqual(1);
      }
    }
  });
});
