import { describe, expect, it } from 'vitest';
import type { HeadSpec } from '../../../../src/evals/probe/head-optimizers.js';
import { type HeadProtocol, ProbeHeads } from '../../../../src/evals/probe/probe-heads.js';
import { Generator } from '../../../../src/tensor/generator.js';
import * as ops from '../../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../../src/tensor/tensor.js';
import { expectClose } from '../../../support/goldens.js';

const [ROWS, WIDTH, CLASSES, BATCH, STEPS] = [24, 6, 3, 8, 12];
const labels = Int32Array.from({ length: ROWS }, (_, i) => i % CLASSES);

const filled = (count: number, value: (i: number) => number, shape: number[]) =>
  Tensor.from(
    Float32Array.from({ length: count }, (_, i) => value(i)),
    shape,
  );
const rowsOf = (step: number) => Array.from({ length: BATCH }, (_, k) => (step * BATCH + k) % ROWS);

/** Vectors "x", and the same numbers as tokens "t". */
function features(rows: readonly number[]): Map<string, Tensor> {
  return scope(() => {
    const all = filled(ROWS * WIDTH, (i) => Math.sin(0.7 * i) + 0.1 * (i % 3), [ROWS, WIDTH]);
    const x = ops.indexSelect(all, 0, Tensor.from(Int32Array.from(rows), [rows.length]));
    return new Map([
      ['x', x],
      ['t', ops.unflatten(x, 1, [3, 2])],
    ]);
  });
}

function makeHeads(protocol: HeadProtocol, heads: readonly HeadSpec[]): ProbeHeads {
  return scope(() => {
    using generator = new Generator(0);
    const plan = { batchSize: BATCH, steps: STEPS, warmupSteps: Math.trunc(0.1 * (STEPS - 1)) };
    return new ProbeHeads({ protocol, heads, example: features([0]), classes: CLASSES, generator, ...plan });
  });
}

const trainAll = (heads: ProbeHeads) =>
  Array.from({ length: STEPS }, (_, step) => {
    const rows = rowsOf(step);
    return scope(() =>
      heads.train(
        features(rows),
        Int32Array.from(rows, (row) => labels[row]!),
        step,
      ),
    );
  });

const head = (source: string, lr: number, weightDecay = 0): HeadSpec => ({ source, lr, weightDecay });

describe('heads trained together', () => {
  it('are those of PyTorch: BatchNorm1d without weights, linear heads, SGD at rates of their own', () => {
    scope(() => {
      const heads = makeHeads('mim', [head('x', 0.5), head('x', 3), head('x', 20)]);
      const weight = Array.from({ length: 3 }, (_, h) =>
        filled(CLASSES * WIDTH, (i) => 0.05 * Math.cos(0.3 * i + h), [CLASSES, WIDTH]),
      );
      heads.bank('x').load(
        new Map([
          ['weight', ops.stack(weight)],
          ['bias', ops.zeros([3, CLASSES], 'float32')],
        ]),
      );
      const losses = trainAll(heads);
      // Computed by PyTorch 2.11 with the same numbers.
      const expected = [
        1.1052521, 0.9214234, 0.6105543, 0.4603364, 0.3774236, 0.3113462, 0.2636556, 0.2404885, 0.2185528, 0.2032695,
        0.2013032, 0.1956361,
      ];
      for (const [step, loss] of losses.entries()) expect(loss).toBeCloseTo(expected[step]!, 5);
      const state = heads.bank('x').state();
      const firstFour = (h: number) =>
        ops.narrow(ops.flatten(ops.select(state.get('weight')!, 0, h), 0, 1), 0, 0, 4).numbers();
      expect(firstFour(0).map((v) => v.toFixed(5))).toEqual(['0.06336', '0.15475', '0.18924', '0.15288']);
      expect(firstFour(2).map((v) => v.toFixed(4))).toEqual(['0.0136', '1.7181', '2.5341', '2.2568']);
      expect(heads.predict(features([...labels.keys()])).map((row) => [...row])).toEqual(
        Array.from({ length: 3 }, () => [...labels]),
      );
      heads.dispose();
    });
  });

  it.each([
    ['mim', [head('x', 0.5), head('x', 3), head('x', 20)]],
    ['capi', [head('x', 1, 0.05), head('t', 1, 0.05), head('t', 3, 0.5), head('x', 10, 0.5)]],
  ] as const)('are what each would be without the others (%s)', (protocol, grid) => {
    scope(() => {
      const together = makeHeads(protocol, grid);
      const own = grid.map(({ source }, i) => {
        const place = grid.slice(0, i).filter((other) => other.source === source).length;
        return (name: string) => ops.narrow(together.bank(source).state().get(name)!, 0, place, 1);
      });
      const names = (i: number) => [...together.bank(grid[i]!.source).state().keys()];
      // Copies of one head: CAPI's loss is the mean over heads, so that there have to be as many.
      const copies = grid.map((spec, i) => {
        const heads = makeHeads(
          protocol,
          grid.map(() => spec),
        );
        heads.bank(spec.source).load(new Map(names(i).map((name) => [name, ops.cat(grid.map(() => own[i]!(name)))])));
        return heads;
      });
      trainAll(together);
      for (const [i, heads] of copies.entries()) {
        trainAll(heads);
        for (const name of names(i)) {
          const copy = ops.narrow(heads.bank(grid[i]!.source).state().get(name)!, 0, 0, 1);
          expectClose(own[i]!(name), copy, 1e-5, `${i} ${name}`);
        }
      }
      for (const heads of [together, ...copies]) heads.dispose();
    });
  });

  it.each([
    ['mim', 'x'],
    ['capi', 't'],
  ] as const)('are not spoilt by one that diverges (%s, %s)', (protocol, source) => {
    scope(() => {
      const [good, spoilt] = [1, 1e41].map((lr) =>
        makeHeads(
          protocol,
          [0.5, 3, lr].map((each) => head(source, each)),
        ),
      );
      trainAll(good!);
      const losses = trainAll(spoilt!);
      expect(good!.finite()).toEqual([true, true, true]);
      expect(spoilt!.finite()).toEqual([true, true, false]);
      expect(losses.every(Number.isFinite)).toBe(true);
      const firstTwo = (heads: ProbeHeads, name: string) => ops.narrow(heads.bank(source).state().get(name)!, 0, 0, 2);
      for (const [name] of good!.bank(source).parameters())
        expectClose(firstTwo(spoilt!, name), firstTwo(good!, name), 1e-5, name);
      for (const heads of [good!, spoilt!]) heads.dispose();
    });
  });

  it('free what they hold', () => {
    const before = liveTensors().tensors;
    const heads = makeHeads('mim', [head('x', 0.5), head('x', 3)]);
    trainAll(heads);
    scope(() => heads.predict(features([0, 1])));
    heads.dispose();
    const pooling = makeHeads('capi', [head('t', 0.5), head('x', 3)]);
    trainAll(pooling);
    pooling.dispose();
    expect(liveTensors().tensors).toBe(before);
  });
});
