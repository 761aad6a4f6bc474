import { afterEach, describe, expect, it } from 'vitest';
import { voteClasses } from '../../../../src/evals/knn/knn-classification.js';
import { nearestNeighbours } from '../../../../src/evals/knn/nearest-neighbours.js';
import { classificationMetrics } from '../../../../src/evals/measure/classification-metrics.js';
import { ShapeError, UsageError } from '../../../../src/support/errors.js';
import { liveTensors, Tensor } from '../../../../src/tensor/tensor.js';

const COSINE = {
  indices: [
    [25, 54, 49, 1],
    [18, 13, 42, 23],
    [22, 17, 46, 51],
  ],
  distances: [
    [0.818608, 0.824158, 0.826265, 0.828145],
    [0.689707, 0.723832, 0.779251, 0.804754],
    [0.687525, 0.720518, 0.735044, 0.736594],
  ],
};
const L2 = {
  indices: [
    [6, 54, 36, 11],
    [18, 42, 13, 23],
    [22, 51, 17, 27],
  ],
  distances: [
    [1.988693, 2.072959, 2.128644, 2.130456],
    [2.011229, 2.177225, 2.182127, 2.184615],
    [2.442241, 2.532274, 2.56552, 2.567793],
  ],
};
const VOTED = [2, 2, 2, 0, 2, 1, 2, 2, 0, 2, 2, 2, 2, 2, 2];

/** Rows that another program can compute as well: sin(1 + 3.7 i + 1.3 j (i + 1)). */
function rows(count: number, first: number, width = 6): number[][] {
  return Array.from({ length: count }, (_, n) =>
    Array.from({ length: width }, (_, j) => Math.sin(1 + 3.7 * (n + first) + 1.3 * j * (n + first + 1))),
  );
}
const made: Tensor[] = [];
function matrix(values: readonly (readonly number[])[]): Tensor {
  const tensor = Tensor.from(Float32Array.from(values.flat()), [values.length, values[0]!.length]);
  made.push(tensor);
  return tensor;
}
afterEach(() => {
  for (const tensor of made.splice(0)) tensor.dispose();
});

describe('nearestNeighbours', () => {
  // scikit-learn 1.9.1, KNeighborsClassifier.kneighbors, algorithm brute, on rows(60, 0) for the first 3 of rows(15, 1000).
  it.each([
    ['cosine', COSINE],
    ['L2', L2],
  ] as const)('agrees with scikit-learn: %s', (distance, { indices, distances }) => {
    const found = nearestNeighbours(matrix(rows(3, 1000)), matrix(rows(60, 0)), { k: 4, distance });
    expect([...found.indices]).toEqual(indices.flat());
    found.distances.forEach((value, i) => {
      expect(value).toBeCloseTo(distances.flat()[i]!, 5);
    });
  });

  it.each(['cosine', 'L2'] as const)('finds the same in chunks of any size: %s', (distance) => {
    const [query, train] = [matrix(rows(23, 500)), matrix(rows(70, 0))];
    const whole = nearestNeighbours(query, train, { k: 30, distance });
    const pieces = nearestNeighbours(query, train, { k: 30, distance, queryChunk: 7, trainChunk: 11 });
    expect([...pieces.indices]).toEqual([...whole.indices]);
    pieces.distances.forEach((value, i) => {
      expect(value).toBeCloseTo(whole.distances[i]!, 5);
    });
  });

  it.each(['cosine', 'L2'] as const)('finds each row nearest to itself: %s', (distance) => {
    const train = matrix(rows(50, 0));
    const found = nearestNeighbours(train, train, { k: 1, distance });
    expect([...found.indices]).toEqual([...Array(50).keys()]);
  });

  it('does not see lengths by cosine, and puts a row of zeros last', () => {
    const train = matrix([
      [0, 0],
      [0.1, 0],
      [5, 5],
      [0, 900],
    ]);
    const found = nearestNeighbours(matrix([[7, 0]]), train, { k: 4, distance: 'cosine' });
    expect([...found.indices]).toEqual([1, 2, 3, 0]);
    expect(found.distances[1]).toBeCloseTo(1 - Math.SQRT1_2, 6);
  });

  it.each(['cosine', 'L2'] as const)('orders long lists, which the engine sorts, in the same way: %s', (distance) => {
    const [query, train] = [matrix(rows(9, 5000)), matrix(rows(700, 0))];
    const long = nearestNeighbours(query, train, { k: 600, distance, trainChunk: 80 });
    const short = nearestNeighbours(query, train, { k: 250, distance, trainChunk: 80 });
    const firsts = [...long.indices].filter((_, i) => i % 600 < 250);
    // A few of 700 are equally far in single precision.
    expect(firsts.filter((index, i) => index === short.indices[i]).length / firsts.length).toBeGreaterThan(0.99);
    expect([...short.distances].every((value, i) => i % 250 === 0 || value >= short.distances[i - 1]!)).toBe(true);
  });

  it('puts the lower of equally near rows first, whatever the chunks', () => {
    const train = matrix(Array.from({ length: 200 }, (_, n) => [n % 4, 1]));
    for (const trainChunk of [7, 64, 200]) {
      const { indices } = nearestNeighbours(matrix([[0, 1]]), train, { k: 120, distance: 'L2', trainChunk });
      const expected = [0, 1, 2].flatMap((rest) => Array.from({ length: 50 }, (_, i) => 4 * i + rest));
      expect([...indices]).toEqual(expected.slice(0, 120));
    }
  });

  it('fills lists with rows of zeros where there are no others', () => {
    const train = matrix([
      [0, 0],
      [0, 0],
      [1, 0],
      [0, 0],
    ]);
    const { indices } = nearestNeighbours(matrix([[3, 1]]), train, { k: 3, distance: 'cosine', trainChunk: 1 });
    expect([...indices]).toEqual([2, 0, 1]);
  });

  it('never gives the root of a negative number', () => {
    const far = matrix(rows(40, 0).map((row) => row.map((value) => 1000 + value * 1e-3)));
    const { distances } = nearestNeighbours(far, far, { k: 40, distance: 'L2' });
    expect([...distances].every((value) => value >= 0)).toBe(true);
  });

  it('refuses what does not fit', () => {
    const train = matrix(rows(3, 0));
    expect(() => nearestNeighbours(train, train, { k: 4, distance: 'L2' })).toThrow(UsageError);
    expect(() => nearestNeighbours(train, train, { k: 0, distance: 'L2' })).toThrow(/1 to 3 neighbours/);
    expect(() => nearestNeighbours(matrix(rows(2, 0, 5)), train, { k: 1, distance: 'L2' })).toThrow(ShapeError);
  });

  it('frees what it makes', () => {
    const [query, train] = [matrix(rows(20, 500)), matrix(rows(30, 0))];
    const before = liveTensors().tensors;
    nearestNeighbours(query, train, { k: 3, distance: 'L2', queryChunk: 6, trainChunk: 7 });
    expect(liveTensors().tensors).toBe(before);
  });
});

describe('classification by neighbours', () => {
  // scikit-learn 1.9.1, KNeighborsClassifier(10, metric cosine, weights exp((1 - d) / 0.07)).
  it('votes like scikit-learn with weights', () => {
    const labels = Int32Array.from({ length: 60 }, (_, i) => (i * i + Math.floor(i / 3)) % 4);
    const neighbours = nearestNeighbours(matrix(rows(15, 1000)), matrix(rows(60, 0)), { k: 10, distance: 'cosine' });
    expect([...voteClasses(neighbours, labels, 4, 0.07)]).toEqual(VOTED);
  });

  it('knows its own training set with one neighbour', () => {
    const train = matrix(rows(40, 0));
    const labels = Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 5);
    const predicted = voteClasses(nearestNeighbours(train, train, { k: 1, distance: 'cosine' }), labels, 5, 0.07);
    expect(classificationMetrics(predicted, labels, 5)).toEqual({ top1: 100, meanPerClass: 100 });
  });

  it('gives a tie to the lowest class', () => {
    const neighbours = { k: 2, indices: Int32Array.of(0, 1), distances: Float32Array.of(0.2, 0.2) };
    expect([...voteClasses(neighbours, Int32Array.of(3, 2), 4, 0.07)]).toEqual([2]);
  });

  it('lets one near neighbour outvote two far ones, unless all votes are equal', () => {
    const neighbours = { k: 3, indices: Int32Array.of(0, 1, 2), distances: Float32Array.of(0.1, 0.3, 0.3) };
    const labels = Int32Array.of(1, 0, 0);
    expect([...voteClasses(neighbours, labels, 2, 0.07)]).toEqual([1]);
    expect([...voteClasses(neighbours, labels, 2, Number.POSITIVE_INFINITY)]).toEqual([0]);
    expect([...voteClasses(neighbours, labels, 2, 1e-9)]).toEqual([1]);
  });

  // scikit-learn: accuracy_score and balanced_accuracy_score.
  it('averages over the classes that are tested', () => {
    const truth = Int32Array.of(0, 0, 0, 0, 0, 1, 1, 1, 3, 3);
    const { top1, meanPerClass } = classificationMetrics(Int32Array.of(0, 0, 0, 0, 1, 1, 0, 0, 3, 2), truth, 5);
    expect(top1).toBeCloseTo(60, 10);
    expect(meanPerClass).toBeCloseTo(54.44444444444444, 10);
  });

  it('counts an image as often as it is drawn', () => {
    const truth = Int32Array.of(0, 1, 1);
    const predicted = Int32Array.of(0, 0, 1);
    const twice = classificationMetrics(Int32Array.of(0, 0, 0), Int32Array.of(0, 0, 1), 2);
    expect(classificationMetrics(predicted, truth, 2, Uint32Array.of(2, 1, 0))).toEqual(twice);
  });
});
