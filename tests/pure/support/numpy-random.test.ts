import { describe, expect, it } from 'vitest';
import { generatorPermutation, legacyPermutation } from '../../../src/support/numpy-random.js';

// The first places, of NumPy 2.4.6.
const legacy: [number, number, number[]][] = [
  [50, 0, [28, 11, 10, 41, 2, 27, 38, 31, 22, 4, 33, 35]],
  [50, 42, [13, 39, 30, 45, 17, 48, 26, 25, 32, 19, 12, 4]],
  [7, 123456789, [6, 3, 5, 1, 2, 4, 0]],
  [100000, 4294967295, [85117, 19600, 4648, 56853, 35772, 22343, 76167, 23775, 27230, 34000, 89532, 91476]],
];
const generator: [number, number, number[]][] = [
  [50, 0, [18, 23, 36, 4, 2, 3, 34, 24, 20, 26, 1, 11]],
  [50, 42, [5, 25, 20, 49, 39, 27, 47, 45, 46, 17, 37, 31]],
  [7, 123456789, [3, 5, 2, 0, 1, 6, 4]],
  [100000, 4294967295, [5495, 39960, 33570, 74166, 53416, 73378, 25457, 55578, 83317, 44839, 94318, 75480]],
];

describe.each([
  ['numpy.random.seed and permutation', legacyPermutation, legacy],
  ['numpy.random.default_rng and permutation', generatorPermutation, generator],
] as const)('%s', (_, permutation, cases) => {
  it.each(cases)('of %i with seed %i', (count, seed, first) => {
    const drawn = permutation(count, seed);
    expect([...drawn.subarray(0, first.length)]).toEqual(first);
    expect(drawn.slice().sort()).toEqual(Int32Array.from({ length: count }, (_, i) => i));
  });

  it('of nothing and of one', () => {
    expect([...permutation(0, 1), ...permutation(1, 1)]).toEqual([0]);
  });
});
