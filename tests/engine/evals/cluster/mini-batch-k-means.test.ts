import { describe, expect, it } from 'vitest';
import { MovingCentres, miniBatchKMeans } from '../../../../src/evals/cluster/mini-batch-k-means.js';
import * as ops from '../../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../../src/tensor/tensor.js';
import { goldenJson, goldenTensors } from '../../../support/goldens.js';

const golden = goldenJson<{ kmeans: { bestOf100: number } }>('eval_tiny_cluster');
const tensors = goldenTensors('eval_tiny_cluster');
const features = tensors.get('features')!;

// scikit-learn 1.9.1, MiniBatchKMeans(6, init=start, reassignment_ratio=0), partial_fit of rows 0-50, 50-100, 100-180.
const FIRST_COLUMNS = [
  [-0.3839282514, 0.9530314864],
  [-1.6394233579, 0.2389573296],
  [-1.0692600751, 1.1003381012],
  [0.1017136264, 1.5361729628],
  [-0.4352870807, 1.2846156268],
  [-1.055384485, 0.1697492239],
];
const SUM_OF_SQUARES = 78.48045173650749;

describe('mini-batch k-means', () => {
  it('moves centres as scikit-learn does', () => {
    scope(() => {
      const all = ops.to(features, 'float64');
      const moving = new MovingCentres(ops.clone(ops.to(tensors.get('kmeans.start')!, 'float64')));
      for (const [from, to] of [
        [0, 50],
        [50, 100],
        [100, 180],
      ] as const) {
        moving.step(ops.narrow(all, 0, from, to - from));
      }
      const centres = moving.centres_KD;
      ops
        .narrow(centres, 1, 0, 2)
        .numbers()
        .forEach((value, i) => {
          expect(value).toBeCloseTo(FIRST_COLUMNS.flat()[i]!, 9);
        });
      expect(ops.sum(ops.mul(centres, centres)).item()).toBeCloseTo(SUM_OF_SQUARES, 7);
    });
  });

  it('leaves a centre where it is that nothing comes to', () => {
    scope(() => {
      const moving = new MovingCentres(Tensor.from(Float64Array.of(0, 100), [2, 1]));
      expect(moving.step(Tensor.from(Float64Array.of(1, 3), [2, 1]))).toBe(10);
      expect(moving.centres_KD.numbers()).toEqual([2, 100]);
      // The mean of 1, 3 and 8: what came before counts.
      moving.step(Tensor.from(Float64Array.of(8), [1, 1]));
      expect(moving.centres_KD.numbers()).toEqual([4, 100]);
    });
  });

  it('comes near to the best that k-means finds, frees what it used, and depends on the seed alone', () => {
    const before = liveTensors().tensors;
    const options = { clusters: 6, batchSize: 40, runs: 20, seed: 3 };
    const found = miniBatchKMeans(features, options);
    expect(liveTensors().tensors).toBe(before);
    expect(found.inertia / golden.kmeans.bestOf100).toBeLessThan(1.02);
    expect(found.inertia / golden.kmeans.bestOf100).toBeGreaterThan(1 - 1e-9);
    expect(new Set(found.clusters).size).toBe(6);
    expect(miniBatchKMeans(features, options)).toEqual(found);
    expect(miniBatchKMeans(features, { ...options, seed: 4 })).not.toEqual(found);
  });

  it('refuses more clusters than samples', () => {
    expect(() => miniBatchKMeans(features, { clusters: 181, batchSize: 10, runs: 1, seed: 0 })).toThrow(/1 to 180/);
  });
});
