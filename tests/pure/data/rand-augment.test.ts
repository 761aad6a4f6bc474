import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyPixelOperation, type PixelOperation } from '../../../src/data/pixel-operations.js';
import { drawRandAugment } from '../../../src/data/rand-augment.js';
import { Random } from '../../../src/support/random.js';

interface Fixture {
  pictures: Record<string, { width: number; pixels: string }>;
  results: { picture: string; kind: string; value?: number; pixels: string }[];
  operations: string[];
  arguments: Record<string, number[][]>;
}

const fixture = JSON.parse(
  readFileSync(new URL('../../fixtures/rand-augment/pictures.json', import.meta.url), 'utf8'),
) as Fixture;
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

function operationOf(kind: string, value = 0): PixelOperation {
  if (kind === 'invert') return { kind: 'solarize', threshold: 0 };
  if (kind === 'autocontrast' || kind === 'equalize') return { kind };
  if (kind === 'posterize') return { kind, bits: value };
  if (kind === 'solarize') return { kind, threshold: value };
  if (kind === 'solarize-add') return { kind, add: value };
  if (/^(rotate|shear|translate)/.test(kind)) return { kind, by: value } as PixelOperation;
  return { kind, factor: value } as PixelOperation;
}

describe('operations of RandAugment', () => {
  it.each(fixture.results)('$kind $value of $picture is what Pillow makes, to the bit', (result) => {
    const { width, pixels } = fixture.pictures[result.picture]!;
    const ours = bytes(pixels);
    applyPixelOperation(ours, width, operationOf(result.kind, result.value));
    expect(Buffer.compare(ours, bytes(result.pixels))).toBe(0);
  });

  it('covers them all', () => {
    expect(fixture.results.length).toBeGreaterThan(60);
    const black = bytes(fixture.pictures.noise!.pixels);
    applyPixelOperation(black, 17, { kind: 'posterize', bits: 0 });
    expect(black.every((value) => value === 0)).toBe(true);
  });
});

/** timm's names, in its order. */
const names: Record<string, (operation: PixelOperation) => boolean> = {
  AutoContrast: ({ kind }) => kind === 'autocontrast',
  Equalize: ({ kind }) => kind === 'equalize',
  Invert: (operation) => operation.kind === 'solarize' && operation.threshold === 0,
  Rotate: ({ kind }) => kind === 'rotate',
  PosterizeIncreasing: ({ kind }) => kind === 'posterize',
  SolarizeIncreasing: (operation) => operation.kind === 'solarize',
  SolarizeAdd: ({ kind }) => kind === 'solarize-add',
  ColorIncreasing: ({ kind }) => kind === 'saturation',
  ContrastIncreasing: ({ kind }) => kind === 'contrast',
  BrightnessIncreasing: ({ kind }) => kind === 'brightness',
  SharpnessIncreasing: ({ kind }) => kind === 'sharpness',
  ShearX: ({ kind }) => kind === 'shear-x',
  ShearY: ({ kind }) => kind === 'shear-y',
  TranslateXRel: ({ kind }) => kind === 'translate-x',
  TranslateYRel: ({ kind }) => kind === 'translate-y',
};

describe('drawRandAugment', () => {
  /** Draws that are told: which operation, that it happens, and the first sign. */
  const told = (place: number, sign: number) => {
    const uniforms = [0, sign];
    return { integer: () => place, uniform: () => uniforms.shift()!, normal: () => 0 };
  };
  const numberOf = (operation: PixelOperation) => Object.entries(operation).find(([key]) => key !== 'kind')![1];

  it('has the operations of timm, with its arguments at every magnitude', () => {
    expect(Object.keys(names)).toEqual(fixture.operations);
    for (const [name, expected] of Object.entries(fixture.arguments)) {
      const place = fixture.operations.indexOf(name);
      [0, 7.3, 9, 10].forEach((magnitude, i) => {
        const drawn = [0, 1].map((sign) =>
          drawRandAugment({ operations: 1, magnitude, deviation: 0.5 }, told(place, sign)),
        );
        const values = drawn.map(([operation]) => numberOf(operation!) as number);
        expect(drawn.every(([operation]) => names[name]!(operation!))).toBe(true);
        // timm's file has the one sign or the other, which it drew.
        expect(values.map((value) => Math.abs(value - expected[i]![0]!)).sort((a, b) => a - b)[0]).toBeLessThan(1e-12);
        const [one, other] = values as [number, number];
        const middle = /Increasing$/.test(name) && !/Poster|Solar/.test(name) ? 1 : 0;
        if (magnitude < 10 && /Rotate|Shear|Trans/.test(name)) expect(one - middle).toBeCloseTo(middle - other, 12);
      });
    }
  });

  it('draws every operation equally often, half of them, with strengths about 0.9', () => {
    const random = Random.from(1);
    const counts = new Map<string, number>();
    const turns: number[] = [];
    const rounds = 30_000;
    for (let i = 0; i < rounds; i++) {
      for (const operation of drawRandAugment({ operations: 2, magnitude: 9, deviation: 0.5 }, random)) {
        const name = Object.keys(names).find((key) => names[key]!(operation))!;
        counts.set(name, (counts.get(name) ?? 0) + 1);
        if (operation.kind === 'rotate') turns.push(operation.by / 30);
      }
    }
    for (const name of Object.keys(names)) {
      // SolarizeIncreasing at full strength inverts, which is what its threshold 0 says.
      if (name === 'Invert' || name === 'SolarizeIncreasing') continue;
      expect(Math.abs(counts.get(name)! - rounds / 15), name).toBeLessThan(5 * Math.sqrt(rounds / 15));
    }
    const strengths = turns.map(Math.abs);
    const mean = strengths.reduce((sum, value) => sum + value, 0) / strengths.length;
    expect(Math.abs(mean - 0.9)).toBeLessThan(0.005);
    expect(strengths.every((value) => value <= 1)).toBe(true);
    const deviation = Math.sqrt(strengths.reduce((sum, value) => sum + (value - mean) ** 2, 0) / strengths.length);
    expect(Math.abs(deviation - 0.05)).toBeLessThan(0.005);
    const left = turns.filter((turn) => turn < 0).length;
    expect(Math.abs(left - turns.length / 2)).toBeLessThan(2.5 * Math.sqrt(turns.length));
  });
});
