import { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope } from '../tensor/tensor.js';

export interface SamplerOptions {
  /** Items of the data set. */
  readonly size: number;
  readonly seed: number;
  /** Samples of this process that were taken before: where a resumed run goes on. */
  readonly advance?: number;
  readonly rank?: number;
  readonly worldSize?: number;
}

/**
 * Indices without end: every epoch visits each item of this process once, in an order of its own.
 *
 * A permutation seeded with `seed` is dealt out to the processes; epoch e reorders a process's share with the seed
 * `seed + rank + e·2²⁴`. Source: CAPI data.py `InfiniteSampler`, whose orders it reproduces. Deviates: `advance` counts
 * epochs of the process's own share, so that resuming is exact for any number of processes.
 */
export function* infiniteSampler(options: SamplerOptions): IterableIterator<number> {
  const { size, seed, advance = 0, rank = 0, worldSize = 1 } = options;
  const share = permutation(size, seed).filter((_, index) => index % worldSize === rank);
  let skip = advance % share.length;
  for (let epoch = Math.floor(advance / share.length); ; epoch++) {
    const order = permutation(share.length, seed + rank + epoch * 2 ** 24);
    for (const place of order.slice(skip)) yield share[place]!;
    skip = 0;
  }
}

function permutation(count: number, seed: number): number[] {
  using generator = new Generator(seed);
  return scope(() => ops.randperm(count, generator, 'int64').numbers());
}
