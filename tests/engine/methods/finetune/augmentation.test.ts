import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { drawMix, mixedTargets, mixImages, symmetricBeta } from '../../../../src/methods/finetune/mix-images.js';
import { drawErasedBox, eraseBoxes } from '../../../../src/methods/finetune/random-erasing.js';
import { Random } from '../../../../src/support/random.js';
import { Generator } from '../../../../src/tensor/generator.js';
import * as ops from '../../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../../src/tensor/tensor.js';

/** What timm 1.0.31 drew and made of it (tests/fixtures/finetune/make_finetune.py). */
const recorded = JSON.parse(
  readFileSync(new URL('../../../fixtures/finetune/draws.json', import.meta.url), 'utf8'),
) as {
  mixes: {
    seed: number;
    cutmix: boolean;
    switch: number;
    share: number;
    places: number[];
    images: number[];
    targets: number[][];
  }[];
  boxes: { probability: number; draws: [kind: string, ...numbers: number[]][]; box: object | null }[];
};

const [CLASSES, SIZE, BATCH, STRIDE] = [5, 16, 4, 53];

function imagesOf(step: number): Tensor {
  const values = Float64Array.from(
    { length: BATCH * 3 * SIZE * SIZE },
    (_, i) => ((i * 37 + step * 1013) % 101) / 50 - 1,
  );
  return Tensor.from(values, [BATCH, 3, SIZE, SIZE]);
}

const labelsOf = (step: number) => Int32Array.from({ length: BATCH }, (_, i) => (3 * i + step) % CLASSES);

describe('mixup and cutmix', () => {
  it.each(recorded.mixes)('do what timm does (seed $seed, cutmix $cutmix)', (one) => {
    const alpha = one.cutmix ? 1 : 0.8;
    // Uniform numbers from which Jöhnk's method makes the recorded share.
    const uniforms = [one.switch, (0.9 * one.share) ** alpha, (0.9 * (1 - one.share)) ** alpha];
    const places = [...one.places];
    const draws = { uniform: () => uniforms.shift()!, integer: () => places.shift()! };
    const mix = drawMix({ mixup: 0.8, cutmix: 1 }, SIZE, draws)!;
    expect(mix.box !== undefined).toBe(one.cutmix);
    const before = liveTensors().tensors;
    scope(() => {
      const mixed = mixImages(imagesOf(one.seed), mix).numbers();
      for (const [i, value] of one.images.entries()) expect(mixed[i * STRIDE]).toBeCloseTo(value, 9);
      const targets = mixedTargets(labelsOf(one.seed), CLASSES, 0.1, mix.share).numbers();
      for (const [i, value] of one.targets.flat().entries()) expect(targets[i]).toBeCloseTo(value, 6);
    });
    expect(liveTensors().tensors).toBe(before);
  });

  it('come up half the time each, and not at all where both are off', () => {
    const random = Random.from(1);
    const boxes = Array.from({ length: 2000 }, () => drawMix({ mixup: 0.8, cutmix: 1 }, SIZE, random)!.box);
    const share = boxes.filter((box) => box !== undefined).length / boxes.length;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.05);
    expect(drawMix({ mixup: 0, cutmix: 0 }, SIZE, random)).toBeUndefined();
    expect(drawMix({ mixup: 0, cutmix: 1 }, SIZE, random)?.box).toBeDefined();
    expect(drawMix({ mixup: 0.8, cutmix: 0 }, SIZE, random)?.box).toBeUndefined();
  });

  it.each([0.2, 0.8, 1, 3])('draw shares from Beta(%f, the same)', (alpha) => {
    const random = Random.from(7);
    const shares = Array.from({ length: 20_000 }, () => symmetricBeta(alpha, random));
    const mean = shares.reduce((sum, x) => sum + x, 0) / shares.length;
    const variance = shares.reduce((sum, x) => sum + (x - mean) ** 2, 0) / shares.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    // Of the beta distribution; 4 % are several standard errors.
    expect(variance * 4 * (2 * alpha + 1)).toBeGreaterThan(0.96);
    expect(variance * 4 * (2 * alpha + 1)).toBeLessThan(1.04);
  });
});

describe('random erasing', () => {
  it('draws boxes as timm does', () => {
    expect(recorded.boxes.filter(({ box }) => box !== null).length).toBeGreaterThan(15);
    for (const { probability, draws, box } of recorded.boxes) {
      const left = [...draws];
      const take = (...expected: [kind: string, ...limits: number[]]) => {
        const drawn = left.shift()!;
        const kind = drawn[0] === 'random' ? ['uniform'] : drawn.slice(0, 3);
        expect(kind[0]).toBe(expected[0]);
        for (const [i, limit] of kind.slice(1).entries()) expect(expected[i + 1]).toBeCloseTo(limit as number, 9);
        return drawn.at(-1) as number;
      };
      // timm draws the area in pixels' share of the image and the logarithm of the ratio, as we do.
      const found = drawErasedBox(probability, 24, {
        uniform: (low = 0, high = 1) => take('uniform', low, high),
        integer: (low, high) => take('integer', low, high),
      });
      expect(found ?? null).toEqual(box);
      expect(left).toEqual([]);
    }
  });

  it('puts standard normal noise into the box and leaves the rest', () => {
    const before = liveTensors().tensors;
    scope(() => {
      using noise = new Generator(3);
      const images = ops.full([2, 3, 40, 40], 5, 'float32');
      eraseBoxes(images, [undefined, { top: 4, left: 10, height: 30, width: 20 }], noise);
      const values = images.numbers();
      const erased = values.filter((value) => value !== 5);
      expect(values.slice(0, 4800).every((value) => value === 5)).toBe(true);
      expect(erased.length).toBe(3 * 30 * 20);
      const mean = erased.reduce((sum, x) => sum + x, 0) / erased.length;
      const variance = erased.reduce((sum, x) => sum + (x - mean) ** 2, 0) / erased.length;
      expect(Math.abs(mean)).toBeLessThan(0.1);
      expect(Math.abs(variance - 1)).toBeLessThan(0.15);
      const inside = (y: number, x: number) => values[4800 + y * 40 + x] !== 5;
      expect([inside(4, 10), inside(33, 29), inside(3, 10), inside(34, 29), inside(4, 9), inside(33, 30)]).toEqual([
        ...[true, true, false, false, false, false],
      ]);
    });
    expect(liveTensors().tensors).toBe(before);
  });
});
