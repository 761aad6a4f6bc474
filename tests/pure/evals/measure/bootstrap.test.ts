import { describe, expect, it } from 'vitest';
import { bootstrapIntervals, differenceInterval } from '../../../../src/evals/measure/bootstrap.js';
import { Random } from '../../../../src/support/random.js';

/** The mean of values over images that count several times. */
function meanOf(values: readonly number[]) {
  return (weights: Uint32Array) => {
    let [sum, count] = [0, 0];
    values.forEach((value, i) => {
      sum += weights[i]! * value;
      count += weights[i]!;
    });
    return { mean: sum / count, count };
  };
}

describe('bootstrapIntervals', () => {
  it('draws as many images as there are, and the same for a seed', () => {
    const values = Array.from({ length: 50 }, (_, i) => i);
    const first = bootstrapIntervals(50, meanOf(values), { seed: 4 });
    expect(first.count).toEqual([50, 50]);
    expect(bootstrapIntervals(50, meanOf(values), { seed: 4 })).toEqual(first);
    expect(bootstrapIntervals(50, meanOf(values), { seed: 5 })).not.toEqual(first);
  });

  it('has no width where images do not differ', () => {
    expect(bootstrapIntervals(20, meanOf(Array(20).fill(7)), { seed: 0 }).mean).toEqual([7, 7]);
  });

  it('interpolates percentiles like NumPy', () => {
    // The resamples give these values in turn; numpy.percentile gives 1 and 8.25 at 2.5 and 97.5.
    const values = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
    let at = 0;
    const intervals = bootstrapIntervals(1, () => ({ value: values[at++]! }), { seed: 0, resamples: values.length });
    expect(intervals.value).toEqual([1, 8.25]);
  });

  it('covers the truth about 95 times of 100', () => {
    const random = Random.from(9);
    let covered = 0;
    for (let trial = 0; trial < 200; trial++) {
      const values = Array.from({ length: 60 }, () => (random.uniform() < 0.4 ? 100 : 0));
      const [low, high] = bootstrapIntervals(60, meanOf(values), { seed: trial, resamples: 300 }).mean;
      if (low <= 40 && 40 <= high) covered++;
    }
    // Percentile intervals of 60 yes-or-no values cover a little less than they say.
    expect(covered).toBeGreaterThan(176);
    expect(covered).toBeLessThan(199);
  });
});

describe('differenceInterval', () => {
  it('is that of the differences of images, whatever images have in common', () => {
    const random = Random.from(2);
    const hard = Array.from({ length: 40 }, () => 100 * random.uniform());
    const gains = hard.map(() => random.uniform());
    const of = (values: readonly number[], seed = 3) => bootstrapIntervals(40, meanOf(values), { seed }).mean;
    const better = hard.map((value, i) => value + gains[i]!);
    const [low, high] = differenceInterval(of(better), of(hard))!;
    const [expectedLow, expectedHigh] = of(gains);
    expect(low).toBeCloseTo(expectedLow, 10);
    expect(high).toBeCloseTo(expectedHigh, 10);
    // Beside each other the two intervals say nothing.
    expect(of(better)[0]).toBeLessThan(of(hard)[1]);
  });

  it('needs the same number of draws of both', () => {
    const [few, many] = [10, 20].map((resamples) => bootstrapIntervals(9, meanOf([1, 2]), { seed: 0, resamples }).mean);
    expect(differenceInterval(few, many)).toBeUndefined();
    expect(differenceInterval(few, [0, 1])).toBeUndefined();
  });
});
