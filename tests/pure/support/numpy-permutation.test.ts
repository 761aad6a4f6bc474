import { describe, expect, it } from 'vitest';
import { numpyPermutation } from '../../../src/support/numpy-permutation.js';

describe('numpyPermutation', () => {
  it('repeats numpy.random.default_rng(seed).permutation', () => {
    // NumPy 2.4.6.
    expect([...numpyPermutation(12, 7)]).toEqual([4, 6, 10, 0, 1, 3, 8, 7, 2, 5, 9, 11]);
    expect([...numpyPermutation(100_000, 2 ** 32 - 1).slice(0, 5)]).toEqual([5495, 39960, 33570, 74166, 53416]);
  });

  it('visits everything once', () => {
    expect([...numpyPermutation(1000, 1)].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...numpyPermutation(1, 1)]).toEqual([0]);
    expect([...numpyPermutation(0, 1)]).toEqual([]);
  });
});
