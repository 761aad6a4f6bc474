import { describe, expect, it } from 'vitest';
import { applyPixelOperation, type PixelOperation } from '../../../src/data/pixel-operations.js';
import type { Raster } from '../../../src/data/resample.js';
import { Random } from '../../../src/support/random.js';
import { evalJson, evalPictures, haveEvalGoldens } from './eval-goldens.js';

interface JitterGolden {
  order: number[];
  brightness: number;
  contrast: number;
  saturation: number;
  hue: number;
}

function applied({ data, width }: Raster, ...operations: PixelOperation[]): Uint8Array {
  const pixels = Uint8Array.from(data);
  for (const operation of operations) applyPixelOperation(pixels, width, operation);
  return pixels;
}

/** The operation of a golden's name, such as `hue_-0.1`. */
function operationOf(name: string): PixelOperation | undefined {
  const [kind, number] = name.split('_') as [string, string];
  const value = Number(number);
  if (kind === 'brightness' || kind === 'contrast' || kind === 'saturation') return { kind, factor: value };
  if (kind === 'hue') return { kind, shift: value };
  if (kind === 'blur') return { kind, sigma: value };
  if (kind === 'solarize') return { kind, threshold: value };
  return kind === 'grayscale' ? { kind: 'greyscale' } : undefined;
}

describe.skipIf(!haveEvalGoldens)('against Pillow (stored numbers)', () => {
  const picture = haveEvalGoldens ? evalPictures() : undefined!;
  const json = haveEvalGoldens
    ? evalJson<{ keys: Record<string, unknown>; aug_ops: string[]; jitter_factors: Record<string, JitterGolden> }>()
    : undefined!;
  const keys = json ? Object.keys(json.keys).filter((key) => /^aug\.(\d|cube|full\d)\.(?!input)/.test(key)) : [];

  function inputOf(key: string): Raster {
    const [, source] = key.split('.') as [string, string];
    if (source === 'cube') return picture('aug.cube.input');
    return picture(source.startsWith('full') ? `image.${source.slice(4)}.rgb` : `tf.${source}.crop_shrink_or_grow.rgb`);
  }

  for (const key of keys) {
    const name = key.replace(/^aug\.\w+\./, '').replace(/\.rgb$/, '');
    const operation = operationOf(name);
    if (operation === undefined) continue;
    it(`${key} is the same to the bit`, () => {
      expect(Buffer.compare(applied(inputOf(key), operation), picture(key).data)).toBe(0);
    });
  }

  it('colour jitter in every order given', () => {
    const jitters = Object.entries(json.jitter_factors);
    expect(jitters.length).toBeGreaterThan(0);
    for (const [name, { order, brightness, contrast, saturation, hue }] of jitters) {
      const operations: PixelOperation[] = [
        { kind: 'brightness', factor: brightness },
        { kind: 'contrast', factor: contrast },
        { kind: 'saturation', factor: saturation },
        { kind: 'hue', shift: hue },
      ];
      for (const key of keys.filter((candidate) => candidate.includes(name))) {
        const actual = applied(inputOf(key), ...order.map((place) => operations[place]!));
        expect(Buffer.compare(actual, picture(key).data), key).toBe(0);
      }
    }
  });

  it('covers every operation of the goldens', () => {
    const known = (name: string) => operationOf(name) !== undefined || name in json.jitter_factors || name === 'hflip';
    expect(json.aug_ops.filter((name) => !known(name))).toEqual([]);
  });
});

describe('applyPixelOperation', () => {
  const random = Random.from(3);
  const noise: Raster = {
    data: Uint8Array.from({ length: 5 * 4 * 3 }, () => random.integer(0, 255)),
    width: 5,
    height: 4,
  };

  it('changes nothing with factors of 1', () => {
    for (const kind of ['brightness', 'contrast', 'saturation'] as const) {
      expect(applied(noise, { kind, factor: 1 })).toEqual(noise.data);
    }
  });

  it('blurs pictures that are smaller than the box, and keeps a uniform colour', () => {
    for (const sigma of [0.4, 3, 9]) {
      const blurred = applied(noise, { kind: 'blur', sigma });
      expect(Math.max(...blurred) - Math.min(...blurred)).toBeLessThan(
        Math.max(...noise.data) - Math.min(...noise.data),
      );
      const uniform = { ...noise, data: Uint8Array.from(noise.data, (_, i) => [7, 130, 255][i % 3]!) };
      expect(applied(uniform, { kind: 'blur', sigma })).toEqual(uniform.data);
    }
  });
});
