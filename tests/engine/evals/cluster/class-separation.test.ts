import { describe, expect, it } from 'vitest';
import { classSeparation } from '../../../../src/evals/cluster/class-separation.js';
import { liveTensors, Tensor } from '../../../../src/tensor/tensor.js';
import { goldenJson, goldenTensors } from '../../../support/goldens.js';

interface Golden {
  labels: number[];
  clusterings: Record<string, number[]>;
  separation: Record<string, { silhouette: number; davies_bouldin: number }>;
}

const golden = goldenJson<Golden>('eval_tiny_cluster');
const features = goldenTensors('eval_tiny_cluster').get('features')!;
const labellings: Record<string, number[]> = {
  ...golden.clusterings,
  labels: golden.labels,
  one_class_of_one_sample: golden.labels.map((label, i) => (i === 0 ? 6 : label)),
};

describe('classSeparation', () => {
  it.each(Object.keys(golden.separation))('is what scikit-learn computes: %s', (name) => {
    const { silhouette, daviesBouldin } = classSeparation(features, labellings[name]!);
    const expected = golden.separation[name]!;
    expect(Math.abs(silhouette - expected.silhouette)).toBeLessThan(1e-9);
    expect(Math.abs(daviesBouldin - expected.davies_bouldin)).toBeLessThan(1e-9);
  });

  it('computes in chunks what it computes at once, and frees what it used', () => {
    // 1200 samples are three chunks.
    const values = Float32Array.from(
      { length: 1200 * 3 },
      (_, i) => ((i * 7919) % 1009) / 1009 + (i % 1200 < 600 ? 0 : 2),
    );
    const labels = Array.from({ length: 1200 }, (_, i) => (i * 3 < 600 ? 0 : 1));
    using points = Tensor.from(values, [1200, 3]);
    const before = liveTensors().tensors;
    const whole = classSeparation(points, labels);
    expect(liveTensors().tensors).toBe(before);
    expect(whole).toEqual(classSeparation(points, labels));
    expect(whole.silhouette).toBeCloseTo(plainSilhouette(values, labels), 9);
  });

  it('needs two classes, and a label for each sample', () => {
    expect(() =>
      classSeparation(
        features,
        golden.labels.map(() => 1),
      ),
    ).toThrow(/180 labels of 1 classes/);
    expect(() => classSeparation(features, [0, 1])).toThrow(/2 labels/);
  });
});

/** The definition, sample by sample (width 3). */
function plainSilhouette(values: Float32Array, labels: readonly number[]): number {
  const far = (a: number, b: number) =>
    Math.sqrt([0, 1, 2].reduce((sum, d) => sum + (values[a * 3 + d]! - values[b * 3 + d]!) ** 2, 0));
  const means = labels.map((own, i) => {
    const mean = (same: boolean) => {
      const others = labels.flatMap((label, j) => ((label === own) === same && j !== i ? [far(i, j)] : []));
      return others.reduce((sum, distance) => sum + distance, 0) / others.length;
    };
    const [inside, outside] = [mean(true), mean(false)];
    return (outside - inside) / Math.max(inside, outside);
  });
  return means.reduce((sum, value) => sum + value, 0) / means.length;
}
