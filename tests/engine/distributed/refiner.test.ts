import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSafetensors } from '../../../src/tensor/safetensors.js';
import { scope } from '../../../src/tensor/tensor.js';
import { trainStep } from '../../../src/train/train-step.js';
import { expectClose } from '../../support/goldens.js';
import { freePort, startProcess } from '../../support/start-process.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { makeBatch, makeRefiner, STEPS, traces } from '../../support/two-refiners-case.mjs';

const load = (path: string) => import(`../../../src/${path.replace(/\.js$/, '.ts')}`);
const BAR = 1e-5;

it('refines in two processes as in one on the whole batch: batch norm, queue, gathered negatives, neighbours', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const outputs = [0, 1].map((rank) => join(folder, `rank-${rank}.safetensors`));
  const losses = (await Promise.all(
    outputs.map((out, rank) => startProcess('two-refiners.mjs', rank, port, out)),
  )) as number[][];

  const refiner = await makeRefiner(load, undefined);
  for (let step = 0; step < STEPS; step++) {
    const batch = await makeBatch(load, step, 0, 1);
    const { total } = trainStep(refiner, [batch], step, { measure: false });
    const mean = (losses[0]![step]! + losses[1]![step]!) / 2;
    expect(Math.abs(mean / total! - 1)).toBeLessThanOrEqual(BAR);
    refiner.disposeBatch(batch);
  }
  scope(() => {
    const ranks = outputs.map((out) => readSafetensors(out));
    const own = traces(refiner);
    expect([...own.keys()].filter((name) => name.startsWith('grad.encoder.')).length).toBeGreaterThan(20);
    let compared = 0;
    for (const [name, tensor] of own) {
      // Zero in exact arithmetic: gradients of shifts that batch norm undoes, and means of normalised values.
      const isZero = tensor.numbers().every((value) => Math.abs(value) < 1e-8);
      for (const rank of ranks) {
        if (isZero)
          expect(
            rank
              .get(name)!
              .numbers()
              .every((value) => Math.abs(value) < 1e-8),
            name,
          ).toBe(true);
        else expectClose(rank.get(name)!, tensor, BAR, name);
      }
      if (!isZero) compared++;
    }
    expect(compared).toBeGreaterThan(80);
  });
  refiner.dispose();
});
