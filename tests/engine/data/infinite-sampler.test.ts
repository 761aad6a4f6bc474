import { expect, it } from 'vitest';
import { infiniteSampler, type SamplerOptions } from '../../../src/data/infinite-sampler.js';

function take(count: number, options: SamplerOptions): number[] {
  const order = infiniteSampler(options);
  return Array.from({ length: count }, () => order.next().value as number);
}

it('gives the published orders', () => {
  const published = [3, 1, 8, 9, 5, 2, 4, 6, 0, 7, 9, 7, 8, 6, 3, 4, 1, 0, 2, 5, 1, 9, 8, 2, 4];
  expect(take(25, { size: 10, seed: 0 })).toEqual(published);
  const two = { size: 10, seed: 0, worldSize: 2 };
  expect(take(15, { ...two, rank: 0 })).toEqual([6, 4, 7, 0, 3, 4, 3, 6, 0, 7, 7, 6, 3, 0, 4]);
  expect(take(10, { ...two, rank: 1 })).toEqual([1, 2, 9, 8, 5, 9, 2, 8, 5, 1]);
});

it('goes on where it was, with one process and with two', () => {
  for (const worldSize of [1, 2]) {
    const all = take(40, { size: 11, seed: 3, worldSize, rank: worldSize - 1 });
    for (const advance of [1, 5, 6, 11, 12, 23]) {
      expect(take(40 - advance, { size: 11, seed: 3, worldSize, rank: worldSize - 1, advance })).toEqual(
        all.slice(advance),
      );
    }
  }
});
