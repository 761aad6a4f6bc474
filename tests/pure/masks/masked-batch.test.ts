import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { drawMaskedBatch, type MaskedBatchOptions } from '../../../src/masks/masked-batch.js';
import { Random } from '../../../src/support/random.js';

const goldens = JSON.parse(readFileSync(new URL('../../goldens/masks.json', import.meta.url), 'utf8')) as {
  counts: Record<string, [number, number]>;
  collate: { masks: string[]; uniform: number[]; predict: number[]; visible: number[] };
};

function settings(overrides: Partial<MaskedBatchOptions> = {}): MaskedBatchOptions {
  return {
    mask: { kind: 'inverse-block', rows: 16, columns: 16, roll: true },
    batch: 4,
    maskRatio: 0.65,
    predictionSubsampling: 0.05,
    random: (image) => Random.from(7, image),
    ...overrides,
  };
}

describe('drawMaskedBatch', () => {
  it('gives 90 visible, 166 masked and 8 predicted patches by default', () => {
    const batch = drawMaskedBatch(settings());
    expect([batch.visiblePerImage, batch.predictPerImage]).toEqual([90, 8]);
    expect([batch.visible.length, batch.predict.length]).toEqual([360, 32]);
    expect(batch.masks.reduce((sum, cell) => sum + cell, 0)).toBe(4 * 166);
  });

  it('orders predictions as the published collate function does', () => {
    const { masks, uniform, predict, visible } = goldens.collate;
    const batch = drawMaskedBatch(
      settings({
        // The published masks are fed in through the choices of the uniform generator.
        mask: { kind: 'uniform', rows: 16, columns: 16, roll: false },
        random: (image) => {
          const cells = Array.from({ length: 256 }, (_, cell) => cell);
          const wanted = cells.filter((cell) => masks[image]![cell] === '1');
          const keys = uniform.slice(image * 166, (image + 1) * 166);
          return {
            uniform: () => keys.shift()!,
            integer: (low) => {
              const found = cells.indexOf(wanted.shift()!, low);
              cells[found] = cells[low]!;
              return found;
            },
          };
        },
      }),
    );
    expect([...batch.visible]).toEqual(visible);
    expect([...batch.predict]).toEqual(predict);
  });

  it('counts as the published code does at every grid and ratio', () => {
    for (const [key, [masked, predicted]] of Object.entries(goldens.counts)) {
      const [patches, maskRatio, predictionSubsampling] = key.replace('tokens', '').split('_').map(Number);
      const side = Math.sqrt(patches!);
      const batch = drawMaskedBatch(
        settings({
          mask: { kind: 'block', rows: side, columns: side, roll: true },
          batch: 1,
          maskRatio: maskRatio!,
          predictionSubsampling: predictionSubsampling!,
        }),
      );
      expect([patches! - batch.visiblePerImage, batch.predictPerImage], key).toEqual([masked, predicted]);
    }
  });

  it('keeps visible and predicted apart, visible ascending, predictions distinct and in random order', () => {
    const batch = drawMaskedBatch(settings({ batch: 50, predictionSubsampling: 0.5 }));
    expect([...batch.visible]).toEqual([...batch.visible].sort((a, b) => a - b));
    expect(new Set(batch.predict).size).toBe(50 * 83);
    for (const patch of batch.visible) expect(batch.masks[patch]).toBe(0);
    batch.predict.forEach((patch, i) => {
      expect(batch.masks[patch]).toBe(1);
      expect(Math.floor(patch / 256)).toBe(Math.floor(i / 83));
    });
    let rising = 0;
    for (let i = 1; i < 83; i++) if (batch.predict[i]! > batch.predict[i - 1]!) rising++;
    expect(rising).toBeGreaterThan(20);
    expect(rising).toBeLessThan(62);
  });

  it('predicts one patch at least', () => {
    const mask = { kind: 'inverse-block', rows: 4, columns: 4, roll: true } as const;
    expect(drawMaskedBatch(settings({ mask })).predictPerImage).toBe(1);
  });

  it("makes an image's mask depend on its own stream alone", () => {
    const pair = drawMaskedBatch(settings({ batch: 2 }));
    const second = drawMaskedBatch(settings({ batch: 1, random: () => Random.from(7, 1) }));
    expect([...pair.masks.slice(256)]).toEqual([...second.masks]);
    expect([...pair.predict.slice(8)].map((patch) => patch - 256)).toEqual([...second.predict]);
  });

  it('refuses ratios that leave nothing to do', () => {
    expect(() => drawMaskedBatch(settings({ maskRatio: 1, predictionSubsampling: 0 }))).toThrow(/got 1.*got 0/);
    expect(() => drawMaskedBatch(settings({ maskRatio: 0.001 }))).toThrow(/masks none of 256/);
  });
});
