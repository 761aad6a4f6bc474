import { describe, expect, it } from 'vitest';
import { liveTensors, Tensor } from '../../../src/tensor/tensor.js';
import { learnDictionary } from '../../../src/visualise/dictionary-learning.js';
import { codeColours } from '../../../src/visualise/dictionary-sheet.js';

const [SAMPLES, WIDTH] = [40, 12];

/** The same numbers in Python: 3*sin(0.7*i+1.3*d) + 2*cos(0.31*i*(d+1)) + sin(0.05*i*(d+2)**1.5). */
function samples(): Tensor {
  const numbers = Float64Array.from({ length: SAMPLES * WIDTH }, (_, at) => {
    const [i, d] = [Math.floor(at / WIDTH), at % WIDTH];
    return 3 * Math.sin(0.7 * i + 1.3 * d) + 2 * Math.cos(0.31 * i * (d + 1)) + Math.sin(i * 0.05 * (d + 2) ** 1.5);
  });
  return Tensor.from(numbers, [SAMPLES, WIDTH]);
}

describe('dictionary learning', () => {
  // scikit-learn: DictionaryLearning(n_components=K, alpha=1, max_iter=3000, tol=1e-8).fit_transform, absolute values.
  it.each([
    {
      atoms: 3,
      cost: 757.8758244159887,
      first: [0, 4.420233, 4.710985, 0, 0, 6.920711, 5.411649, 0, 2.085719],
    },
    {
      atoms: 6,
      cost: 654.8837897838955,
      first: [
        [0, 0, 7.921375, 0, 2.104401, 0],
        [1.22237, 0, 2.516123, 0, 0, 4.186798],
        [5.063331, 1.677354, 1.982741, 0.053543, 0, 0.488284],
      ].flat(),
    },
  ])('gives the codes of scikit-learn with $atoms atoms', ({ atoms, cost, first }) => {
    const before = liveTensors().tensors;
    using features = samples();
    const found = learnDictionary(features, { atoms, alpha: 1, maxIterations: 3000 });
    expect(liveTensors().tensors).toBe(before + 1);
    expect(Math.abs(found.cost / cost - 1)).toBeLessThan(1e-6);
    const apart = first.map((code, i) => Math.abs(Math.abs(found.codes[i]!) - code));
    expect(Math.max(...apart)).toBeLessThan(1e-3);
  });

  it('makes all codes zero where they cost too much, and a black picture of them', () => {
    using features = samples();
    const { codes, cost } = learnDictionary(features, { atoms: 3, alpha: 1e6 });
    expect(new Set(codes)).toEqual(new Set([0]));
    expect(Number.isFinite(cost)).toBe(true);
    using still = Tensor.from(new Float32Array(24), [1, 2, 3, 4]);
    const [picture] = codeColours(
      still,
      [
        [1, 0, 0],
        [0, 1, 0],
      ],
      1,
    );
    expect([...picture!.data]).toEqual(Array(18).fill(0));
  });

  it('colours patches by their atoms, the strongest code fully', () => {
    // Two directions at right angles: an atom each.
    using features = Tensor.from(Float32Array.from([40, 0, 0, 20, 40, 0, 0, 20]), [1, 2, 2, 2]);
    const [picture] = codeColours(
      features,
      [
        [1, 0, 0],
        [0, 0, 1],
      ],
      1,
    );
    const [a, b] = [[...picture!.data.subarray(0, 3)], [...picture!.data.subarray(3, 6)]];
    expect(Math.max(...a)).toBe(255);
    expect(a[1]).toBe(0);
    expect(a.findIndex((c) => c > 0)).not.toBe(b.findIndex((c) => c > 0));
    // |codes| are 39 and 19: the pull less alpha.
    expect(Math.max(...b)).toBe(Math.trunc((19 / 39) * 255));
    expect([...picture!.data.subarray(6, 9)]).toEqual(a);
  });
});
