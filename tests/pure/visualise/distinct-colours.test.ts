import { describe, expect, it } from 'vitest';
import { labOfRgb, rgbOfLab, type Triple } from '../../../src/visualise/cie-lab.js';
import { distinctColour } from '../../../src/visualise/distinct-colours.js';

/** Machado, Oliveira and Fernandes 2009, severity 1: what those see who lack one kind of cones, in linear RGB. */
const sights = {
  all: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  'no red': [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  'no green': [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
} as const;

function seen(sight: keyof typeof sights, place: number): Triple {
  const linear = distinctColour(place).map((byte) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const rgb = sights[sight].map((row) => {
    const c = Math.min(1, Math.max(0, row[0] * linear[0]! + row[1] * linear[1]! + row[2] * linear[2]!));
    return c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
  });
  return labOfRgb([rgb[0]!, rgb[1]!, rgb[2]!]);
}

function leastDistance(sight: keyof typeof sights, count: number): number {
  const colours = Array.from({ length: count }, (_, place) => seen(sight, place));
  let least = Number.POSITIVE_INFINITY;
  for (const [i, a] of colours.entries())
    for (const b of colours.slice(0, i)) least = Math.min(least, Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
  return least;
}

describe('distinct colours', () => {
  // A distance of about 2.3 is just noticeable.
  it.each([
    ['all', 8, 30],
    ['no red', 8, 20],
    ['no green', 8, 20],
    ['all', 12, 25],
    ['no red', 12, 9],
    ['no green', 12, 9],
    ['all', 40, 3],
  ] as const)('differ for those who see %s: the first %i by %i at least', (sight, count, distance) => {
    expect(leastDistance(sight, count)).toBeGreaterThan(distance);
  });
});

describe('CIE Lab', () => {
  // scikit-image 0.25: skimage.color.rgb2lab([[[1, 0, 0]]]).
  it.each([
    [
      [1, 0, 0],
      [53.2406, 80.0942, 67.2015],
    ],
    [
      [1, 1, 1],
      [100, 0, 0],
    ],
  ] as const)('of %j is %j and turns back', (rgb, lab) => {
    for (const [i, value] of labOfRgb(rgb).entries()) expect(Math.abs(value - lab[i]!)).toBeLessThan(0.05);
    for (const [i, value] of rgbOfLab(labOfRgb(rgb)).entries()) expect(value).toBeCloseTo(rgb[i]!, 3);
  });
});
