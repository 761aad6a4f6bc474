import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { clusterAgreement, correctlyClustered } from '../../../../src/evals/cluster/cluster-agreement.js';
import { Random } from '../../../../src/support/random.js';

interface Golden {
  labels: number[];
  clusterings: Record<string, number[]>;
  agreement: Record<string, { acc: number; nmi: number; ami: number; ari: number }>;
}

const golden = JSON.parse(
  readFileSync(new URL('../../../goldens/eval_tiny_cluster.json', import.meta.url), 'utf8'),
) as Golden;

describe('clusterAgreement', () => {
  it.each(Object.keys(golden.agreement))('is what scikit-learn and scipy compute: %s', (name) => {
    const { accuracy, nmi, ami, ari } = clusterAgreement(golden.labels, golden.clusterings[name]!);
    const { acc, ...expected } = golden.agreement[name]!;
    expect(accuracy).toBeCloseTo(acc, 12);
    for (const [metric, value] of Object.entries({ nmi, ami, ari })) {
      expect(Math.abs(value - expected[metric as keyof typeof expected])).toBeLessThan(1e-9);
    }
  });

  it('does not depend on the names of clusters, and is about zero for random ones', () => {
    const random = Random.from(1);
    const labels = Array.from({ length: 2000 }, () => random.integer(0, 9));
    const renamed = labels.map((label) => 100 - 7 * label);
    expect(clusterAgreement(labels, renamed).accuracy).toBe(1);
    const { ami, ari } = clusterAgreement(
      labels,
      labels.map(() => random.integer(0, 9)),
    );
    expect(Math.abs(ami)).toBeLessThan(0.01);
    expect(Math.abs(ari)).toBeLessThan(0.01);
  });

  it('says which samples are right: as many as the accuracy has', () => {
    for (const [name, clusters] of Object.entries(golden.clusterings)) {
      const right = correctlyClustered(golden.labels, clusters).reduce((sum, one) => sum + one, 0);
      expect(right / golden.labels.length).toBeCloseTo(golden.agreement[name]!.acc, 12);
    }
    expect([...correctlyClustered([5, 5, 5, 8], [1, 1, 0, 0])]).toEqual([1, 1, 0, 1]);
  });

  it('refuses labellings of different lengths, and empty ones', () => {
    expect(() => clusterAgreement([1, 2], [1])).toThrow(/received 1 and 2/);
    expect(() => clusterAgreement([], [])).toThrow(RangeError);
  });
});
