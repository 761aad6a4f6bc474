import { describe, expect, it } from 'vitest';
import { byolAugmentations, drawAugmentation } from '../../../src/data/augment.js';
import { applyPixelOperation } from '../../../src/data/pixel-operations.js';
import { resampleRgb } from '../../../src/data/resample.js';
import { type View, viewGeometry } from '../../../src/data/views.js';
import { Random } from '../../../src/support/random.js';
import { evalJson, evalPictures, haveEvalGoldens } from './eval-goldens.js';

/** A call of numpy's generator, its bounds (`integers`: high excluded) and what it gave. */
type TracedDraw = ['uniform' | 'integers' | 'random' | 'permutation', number[], number | number[]];

interface ViewGolden {
  steps: { kind: string; size?: number; scale?: [number, number] }[];
  draws: Record<string, TracedDraw[]>;
}

/** Gives the traced draws, and checks that they are asked for in the same way. */
function replay(trace: TracedDraw[]) {
  const rest = [...trace];
  const take = (kind: TracedDraw[0], bounds: number[]) => {
    const [expectedKind, expectedBounds, value] = rest.shift()!;
    expect(kind).toBe(expectedKind);
    bounds.forEach((bound, i) => {
      expect(bound).toBeCloseTo(expectedBounds[i]!, 12);
    });
    return value;
  };
  return {
    uniform: (low?: number, high?: number) =>
      (low === undefined ? take('random', []) : take('uniform', [low, high!])) as number,
    integer: (low: number, high: number) => take('integers', [low, high + 1]) as number,
    shuffle: <T>(items: T) => take('permutation', [(items as number[]).length]) as T,
    normal: () => {
      throw new Error('nothing here draws normal deviates');
    },
    rest,
  };
}

describe('views of BYOL', () => {
  it.skipIf(!haveEvalGoldens)('are the published pixels for the published draws', () => {
    const { byol_views } = evalJson<{ byol_views: Record<keyof typeof byolAugmentations, ViewGolden> }>();
    const picture = evalPictures();
    let compared = 0;
    for (const [name, { steps, draws }] of Object.entries(byol_views)) {
      const { size, scale } = steps[0]!;
      const augment = byolAugmentations[name as keyof typeof byolAugmentations];
      const view: View = { kind: 'random-resized-crop', size: size!, scale: scale!, flip: true, augment };
      for (const [key, trace] of Object.entries(draws)) {
        const [image, repeat] = key.split('.') as [string, string];
        const source = picture(`image.${image}.rgb`);
        const random = replay(trace);
        const pixels = new Uint8Array(size! * size! * 3);
        resampleRgb(source, viewGeometry(view, source.width, source.height, random), pixels);
        for (const operation of drawAugmentation(augment, random)) applyPixelOperation(pixels, size!, operation);
        expect(random.rest, key).toEqual([]);
        const expected = picture(`byol.${image}.${name}.${repeat}.rgb`);
        expect(Buffer.compare(pixels, expected.data), `${name} ${key}`).toBe(0);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(0);
  });
});

describe('drawAugmentation', () => {
  it('lets each part happen as often as its probability says', () => {
    const random = Random.from(4);
    const rounds = 4000;
    const seen: Record<string, number> = {};
    for (let i = 0; i < rounds; i++) {
      for (const { kind } of drawAugmentation(byolAugmentations.global1, random)) seen[kind] = (seen[kind] ?? 0) + 1;
    }
    const expected = {
      ...Object.fromEntries(['brightness', 'contrast', 'saturation', 'hue'].map((kind) => [kind, 0.8])),
      blur: 0.1,
      greyscale: 0.2,
      solarize: 0.2,
    };
    for (const [kind, probability] of Object.entries(expected)) {
      const spread = Math.sqrt(rounds * probability * (1 - probability));
      expect(Math.abs(seen[kind]! - rounds * probability), kind).toBeLessThan(4 * spread);
    }
  });

  it('always blurs the first global view, and never solarizes it', () => {
    const random = Random.from(5);
    for (let i = 0; i < 500; i++) {
      const kinds = drawAugmentation(byolAugmentations.global0, random).map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === 'blur')).toEqual(['blur']);
      expect(kinds).not.toContain('solarize');
    }
  });
});
