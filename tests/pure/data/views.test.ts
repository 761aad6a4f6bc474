import { describe, expect, it } from 'vitest';
import { checkViews, randomCropBox, viewGeometry } from '../../../src/data/views.js';
import { Random } from '../../../src/support/random.js';
import { evalJson, haveEvalGoldens } from './eval-goldens.js';

const RATIO = [3 / 4, 4 / 3] as const;

interface CropGolden {
  width: number;
  height: number;
  draws: number[];
  top: number;
  left: number;
  crop_height: number;
  crop_width: number;
}

describe('randomCropBox', () => {
  it.skipIf(!haveEvalGoldens)('gives the published boxes from the published draws', () => {
    const cases = evalJson<{ crop_params: CropGolden[] }>().crop_params;
    expect(cases.length).toBeGreaterThan(0);
    for (const { width, height, draws, top, left, crop_height, crop_width } of cases) {
      const rest = [...draws];
      const replay = {
        // The stored draws are the area share and the logarithm of the ratio themselves.
        uniform: () => rest.shift()!,
        integer: () => rest.shift()!,
      };
      expect(randomCropBox(width, height, [0.25, 1], RATIO, replay)).toEqual({
        left,
        top,
        width: crop_width,
        height: crop_height,
      });
      expect(rest).toEqual([]);
    }
  });

  it('stays inside, with share and ratio in range and everywhere in it', () => {
    const random = Random.from(1);
    const shares: number[] = [];
    const ratios: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      const box = randomCropBox(500, 500, [0.2, 0.6], RATIO, random);
      expect(box.left >= 0 && box.top >= 0 && box.left + box.width <= 500 && box.top + box.height <= 500).toBe(true);
      shares.push((box.width * box.height) / 250_000);
      ratios.push(Math.log(box.width / box.height));
    }
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    // Uniform on [0.2, 0.6]: mean 0.4, standard error 0.1155 / sqrt(20000) = 0.0008.
    expect(Math.abs(mean(shares) - 0.4)).toBeLessThan(0.004);
    expect(Math.abs(mean(ratios))).toBeLessThan(0.006);
    expect(Math.min(...shares)).toBeGreaterThan(0.198);
    expect(Math.max(...shares)).toBeLessThan(0.602);
    expect(Math.max(...ratios.map(Math.abs))).toBeLessThan(Math.log(4 / 3) + 0.006);
  });

  it('falls back to a centred box with an allowed ratio', () => {
    const wide = randomCropBox(1000, 30, [1, 1], RATIO, Random.from(0));
    expect(wide).toEqual({ left: 480, top: 0, width: 40, height: 30 });
    const tall = randomCropBox(30, 1000, [1, 1], RATIO, Random.from(0));
    expect(tall).toEqual({ left: 0, top: 480, width: 30, height: 40 });
    expect(randomCropBox(1, 1, [0.1, 0.2], RATIO, Random.from(0))).toEqual({
      left: 0,
      top: 0,
      width: 1,
      height: 1,
    });
    const sliver = randomCropBox(1, 5000, [0.9, 1], RATIO, Random.from(0));
    expect(sliver.width).toBe(1);
    expect(sliver.height).toBeGreaterThan(0);
  });
});

describe('viewGeometry', () => {
  it('flips half of the crops, and none when told so', () => {
    const flips = (flip: boolean) => {
      const random = Random.from(2);
      const view = { kind: 'random-resized-crop', size: 8, scale: [0.5, 1], flip } as const;
      return Array.from({ length: 4000 }, () => viewGeometry(view, 60, 40, random).flip).filter(Boolean).length;
    };
    expect(Math.abs(flips(true) - 2000)).toBeLessThan(160);
    expect(flips(false)).toBe(0);
  });
});

describe('checkViews', () => {
  it('lists all problems at once', () => {
    const bad = () =>
      checkViews([
        { kind: 'resize', size: 0 },
        { kind: 'resize-centre-crop', resize: 32, size: 64 },
        {
          kind: 'random-resized-crop',
          size: 8,
          scale: [0.5, 2],
          ratio: [2, 1],
          flip: true,
          augment: {
            greyscale: { probability: 2 },
            blur: { probability: 0.5, sigma: [2, 1] },
            randAugment: { operations: 2, magnitude: 11, deviation: 0.5 },
          },
        },
      ]);
    expect(bad).toThrow(
      /view 0.*size[\s\S]*view 1.*resize[\s\S]*view 2.*scale[\s\S]*view 2.*ratio[\s\S]*greyscale.*not 2[\s\S]*magnitude 0 to 10, not 2, 11[\s\S]*sigma.*not 2, 1/,
    );
    const randAugment = { operations: 2, magnitude: 9, deviation: 0.5 };
    const good = {
      kind: 'random-resized-crop',
      size: 8,
      scale: [0.5, 1],
      flip: true,
      augment: { randAugment },
    } as const;
    expect(() => checkViews([good])).not.toThrow();
    expect(() => checkViews([])).toThrow(/at least one view/);
  });
});
