import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { normaliseImages } from '../../../src/models/patches.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { coolwarm } from '../../../src/visualise/colour-maps.js';
import { patchColours } from '../../../src/visualise/patch-colours.js';
import {
  componentsOf,
  fitComponents,
  mergeMoments,
  momentsOf,
  principalScores,
  tailsOf,
  turned,
} from '../../../src/visualise/principal-components.js';
import { enlargeEvenly, enlargeSmoothly } from '../../../src/visualise/resize-pictures.js';
import { goldenJson, goldensFolder, goldenTensors } from '../../support/goldens.js';

// Ours is the part of eval_tiny that belongs to these pictures; another set is whole.
const name = ['eval_tiny_viz', 'eval_tiny'].find((file) => existsSync(join(goldensFolder, `${file}.json`)))!;
const golden = goldenTensors(name);
const { tolerances } = goldenJson<{ tolerances: Record<string, string> }>(name);
const at = (key: string): Tensor => golden.get(key)!;

// "1e-4 per image, 5e-3 joint; …", "1 level", "1e-3 relative"
const [aloneTolerance, jointTolerance, noSkewness] = numbersIn(tolerances['viz.*.projected']!);
const [levels] = numbersIn(tolerances['viz.*.rgb, viz.heatmap*']!);
const [varianceTolerance] = numbersIn(tolerances['viz.*.explained_variance']!);

function numbersIn(text: string): [number, number, number] {
  return (text.match(/\d+(?:\.\d+)?(?:e-?\d+)?/g) ?? []).map(Number) as [number, number, number];
}

/** Skewness mean(x³) / mean(x²)^1.5 of a column. */
function skewness(values: readonly number[]): number {
  const mean = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
  return mean(3) / mean(2) ** 1.5;
}

const column = (rows: ArrayLike<number>, index: number, count: number): number[] =>
  Array.from(rows).filter((_, i) => i % count === index);

/** Relative error over all columns; a column without skewness has no sign. */
function errorOf(actual: Tensor, expected: Tensor): number {
  const count = expected.size(-1);
  let [difference, size] = [0, 0];
  for (let c = 0; c < count; c++) {
    const [a, e] = [column(actual.numbers(), c, count), column(expected.numbers(), c, count)];
    const apart = (sign: number) => a.reduce((sum, value, i) => sum + (sign * value - e[i]!) ** 2, 0);
    difference += Math.abs(skewness(e)) < noSkewness ? Math.min(apart(1), apart(-1)) : apart(1);
    size += e.reduce((sum, value) => sum + value ** 2, 0);
  }
  return Math.sqrt(difference / size);
}

const furthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

const relative = (actual: readonly number[], expected: readonly number[]) =>
  Math.max(...expected.map((value, i) => Math.abs(actual[i]! / value - 1)));

const features = at('viz.features');
const images = Array.from({ length: features.size(0) }, (_, image) => image);
const cases = (['whiten', 'plain'] as const).flatMap((kind) => images.map((image) => ({ kind, image })));

describe('principal components of patches, against eval_visualizations.py', () => {
  it.each(cases)('gives scores and variances of image $image alone, $kind', ({ kind, image }) => {
    const expected = at(`viz.${kind}.sep.${image}.projected`);
    scope(() => {
      const one = ops.flatten(ops.select(features, 0, image), 0, 1);
      const components = fitComponents(one, { count: expected.size(-1), whiten: kind === 'whiten' });
      expect(errorOf(principalScores(one, components), expected)).toBeLessThan(aloneTolerance);
      const variances = at(`viz.${kind}.sep.${image}.explained_variance`).numbers();
      expect(relative(components.variances, variances)).toBeLessThan(varianceTolerance);
    });
  });

  it.each(['whiten', 'plain'])('gives scores and variances of all images together, %s', (kind) => {
    const expected = at(`viz.${kind}.joint.projected`);
    scope(() => {
      const all = ops.flatten(features, 0, 2);
      const components = fitComponents(all, { count: expected.size(-1), whiten: kind === 'whiten' });
      expect(errorOf(principalScores(all, components), expected)).toBeLessThan(jointTolerance);
      const variances = at(`viz.${kind}.joint.explained_variance`).numbers();
      expect(relative(components.variances, variances)).toBeLessThan(varianceTolerance);
    });
  });

  it.each(cases)('gives the colours of image $image, $kind', ({ kind, image }) => {
    const whiten = kind === 'whiten';
    const alone = patchColours(features, { count: 6, whiten }).colours[image]!;
    const shared = scope(() =>
      patchColours(features, fitComponents(ops.flatten(features, 0, 2), { count: 10, whiten })),
    );
    const pairs = [
      [alone, at(`viz.${kind}.sep.${image}.rgb`), at(`viz.${kind}.sep.${image}.projected`)],
      [shared.colours[image]!, at(`viz.${kind}.joint.${image}.rgb`), at(`viz.${kind}.joint.projected`)],
    ] as const;
    for (const [picture, rgb, scores] of pairs) {
      expect([picture.height, picture.width, 3]).toEqual(rgb.shape);
      for (let channel = 0; channel < 3; channel++) {
        if (Math.abs(skewness(column(scores.numbers(), channel, scores.size(-1)))) < noSkewness) continue;
        expect(furthest(column(picture.data, channel, 3), column(rgb.numbers(), channel, 3))).toBeLessThanOrEqual(
          levels,
        );
      }
    }
  });

  it('gives the heat map of a component, and matplotlib’s colours', () => {
    const { channels } = patchColours(features, { count: 6, whiten: true });
    const large = enlargeEvenly(channels[0]![0]!, 224);
    expect(furthest(large.data, at('viz.heatmap_0_channel_0').data() as Uint8Array)).toBeLessThanOrEqual(levels);
    expect(coolwarm).toEqual(at('viz.coolwarm').data());
  });

  it('shows the picture that the encoder gets, where it went through the same rounding', () => {
    const [, height, width] = at('viz.images').shape as [number, number, number];
    const data = (at('viz.images').data() as Uint8Array).slice(0, height * width * 3);
    const small = enlargeSmoothly({ data, width, height }, 56);
    const seen = scope(() => {
      const normal_1YX3 = ops.permute(normaliseImages(Tensor.from(small.data, [1, 56, 56, 3])), [0, 2, 3, 1]);
      const single = (values: readonly number[]) => Tensor.from(Float32Array.from(values), [3]);
      const [mean, std] = [single([0.485, 0.456, 0.406]), single([0.229, 0.224, 0.225])];
      const shifted = ops.sub(normal_1YX3, ops.neg(ops.div(mean, std)));
      const pixels = ops.mul(ops.div(shifted, ops.div(single([1, 1, 1]), std)), 255).numbers();
      return { data: Uint8Array.from(pixels, Math.trunc), width: 56, height: 56 };
    });
    expect(furthest(enlargeSmoothly(seen, 224).data, at('viz.picture_0').data() as Uint8Array)).toBe(0);
  });
});

describe('components of features that come in parts', () => {
  it.each([true, false])('are those of all together, whitened %s', (whiten) => {
    const before = liveTensors().tensors;
    scope(() => {
      const all = ops.flatten(features, 0, 2);
      // Far from the origin, sums of squares would lose the digits that matter.
      const far = ops.add(ops.to(all, 'float64'), 1e5);
      const parts = [ops.narrow(far, 0, 0, 7), ops.narrow(far, 0, 7, 100), ops.narrow(far, 0, 107, far.size(0) - 107)];
      const moments = parts.map(momentsOf).reduce(mergeMoments);
      const unsigned = componentsOf(moments, { count: 4, whiten });
      const tails = parts.map((part) => tailsOf(principalScores(part, unsigned)));
      const streamed = turned(
        unsigned,
        tails[0]!.map((_, c) => tails.reduce((sum, part) => sum + part[c]!, 0)),
      );
      const expected = principalScores(all, fitComponents(all, { count: 4, whiten }));
      expect(furthest(principalScores(far, streamed).numbers(), expected.numbers())).toBeLessThan(1e-7);
    });
    expect(liveTensors().tensors).toBe(before);
  });
});
