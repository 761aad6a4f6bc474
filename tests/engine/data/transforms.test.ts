import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomCropBox } from '../../../src/data/views.js';
import { normaliseImages } from '../../../src/models/patches.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { scope } from '../../../src/tensor/tensor.js';
import { goldenJson, goldensFolder, goldenTensors } from '../../support/goldens.js';

interface TorchCrop {
  seed: number;
  width: number;
  height: number;
  scale: [number, number];
  top: number;
  left: number;
  crop_height: number;
  crop_width: number;
  next_rand: number;
}

// Ours is the part of eval_tiny that belongs to images; another set is whole.
const name = ['eval_tiny_transforms', 'eval_tiny'].find((file) => existsSync(join(goldensFolder, `${file}.json`)));
if (name === undefined) console.warn(`skipped: no eval_tiny.json in ${goldensFolder}`);

/** The draws of torchvision's RandomResizedCrop, from the engine's generator. */
function torchDraws(generator: Generator) {
  const skip = () => ops.rand([1], generator).dispose();
  return {
    uniform: (low = 0, high = 1) => {
      using value = ops.empty([1]);
      ops.uniform_(value, low, high, generator);
      return value.numbers()[0]!;
    },
    // As torch.randint: 32 bits modulo the range, which is also the first place of a permutation.
    integer: (_low: number, high: number) => {
      using state = generator.state();
      using places = ops.randperm(high + 1, generator);
      generator.restore(state);
      skip();
      return places.numbers()[0]!;
    },
  };
}

describe.skipIf(name === undefined)('against torchvision', () => {
  it('normalises pixels', () => {
    const golden = goldenTensors(name!);
    const keys = [...golden.keys()].filter((key) => /^tf\..*\.tensor$/.test(key));
    expect(keys.length).toBeGreaterThan(0);
    scope(() => {
      for (const key of keys) {
        const pixels = ops.unsqueeze(golden.get(key.replace('tensor', 'rgb'))!, 0);
        const difference = ops.sub(normaliseImages(pixels), golden.get(key)!).numbers();
        expect(
          difference.reduce((worst, value) => Math.max(worst, Math.abs(value)), 0),
          key,
        ).toBeLessThanOrEqual(1e-6);
      }
    });
    for (const tensor of golden.values()) tensor.dispose();
  });

  it("crops as torchvision does with torch's generator, and leaves it in the same state", () => {
    const cases = goldenJson<{ crop_params_torch: TorchCrop[] }>(name!).crop_params_torch;
    expect(cases.length).toBeGreaterThan(0);
    for (const { seed, width, height, scale, top, left, crop_height, crop_width, next_rand } of cases) {
      using generator = new Generator(seed);
      const draws = torchDraws(generator);
      expect(randomCropBox(width, height, scale, [3 / 4, 4 / 3], draws)).toEqual({
        left,
        top,
        width: crop_width,
        height: crop_height,
      });
      expect(draws.uniform()).toBe(next_rand);
    }
  });
});
