import { describe, expect, it } from 'vitest';
import { kMeans } from '../../../../src/evals/cluster/k-means.js';
import { liveTensors, Tensor } from '../../../../src/tensor/tensor.js';
import { goldenJson, goldenTensors } from '../../../support/goldens.js';

const golden = goldenJson<{ kmeans: { labels: number[]; inertia: number; bestOf100: number } }>('eval_tiny_cluster');
const tensors = goldenTensors('eval_tiny_cluster');
const features = tensors.get('features')!;

describe('kMeans', () => {
  it('ends where scikit-learn ends from the same centres', () => {
    const { clusters, inertia } = kMeans(features, { clusters: 6, start: tensors.get('kmeans.start')! });
    expect([...clusters]).toEqual(golden.kmeans.labels);
    expect(Math.abs(inertia / golden.kmeans.inertia - 1)).toBeLessThan(1e-9);
  });

  it('finds with 100 runs what scikit-learn finds with 100, frees what it used, and depends on the seed alone', () => {
    const before = liveTensors().tensors;
    const found = kMeans(features, { clusters: 6, runs: 100, seed: 3 });
    expect(liveTensors().tensors).toBe(before);
    expect(Math.abs(found.inertia / golden.kmeans.bestOf100 - 1)).toBeLessThan(1e-6);
    expect(kMeans(features, { clusters: 6, runs: 100, seed: 3 })).toEqual(found);
  });

  it('leaves no cluster empty where there are as many places as clusters', () => {
    using points = Tensor.from(Float64Array.of(0, 0, 0, 0, 5, 9), [6, 1]);
    using start = Tensor.from(Float64Array.of(0, 100, 200), [3, 1]);
    const { clusters, inertia } = kMeans(points, { clusters: 3, start });
    expect(new Set(clusters).size).toBe(3);
    expect(inertia).toBe(0);
  });

  it('refuses more clusters than samples', () => {
    expect(() => kMeans(features, { clusters: 181 })).toThrow(/1 to 180 clusters/);
  });
});
