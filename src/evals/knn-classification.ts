// Q test images · K neighbours · C classes
import type { Neighbours } from './nearest-neighbours.js';

/** In percent. */
export type ClassificationMetrics = { readonly top1: number; readonly meanPerClass: number };

/**
 * Classes by the vote of neighbours, each weighing exp(similarity / temperature), similarity being 1 - cosine distance; an
 * infinite temperature gives every neighbour one vote. Of equal sums the lowest class wins.
 * Source: DINO eval_knn.py; MIM-Refiner metrics/knn.py (k 10, temperature 0.07).
 *
 * @param labels class of each training row, 0 to `classes` - 1
 * @returns (Q) class ids
 */
export function voteClasses(
  neighbours: Neighbours,
  labels: Int32Array,
  classes: number,
  temperature: number,
): Int32Array {
  const { k, indices, distances } = neighbours;
  const predicted = new Int32Array(indices.length / k);
  const votes = new Float64Array(classes);
  for (let q = 0; q < predicted.length; q++) {
    votes.fill(0);
    // The nearest one's weight is 1: a common factor that keeps the exponential finite at any temperature.
    const nearest = distances[q * k]!;
    for (let i = q * k; i < (q + 1) * k; i++) {
      votes[labels[indices[i]!]!]! += Math.exp((nearest - distances[i]!) / temperature);
    }
    for (let c = 1; c < classes; c++) if (votes[c]! > votes[predicted[q]!]!) predicted[q] = c;
  }
  return predicted;
}

/**
 * Share of images that are right, and the mean over classes of the share within each; classes without a test image do
 * not count.
 *
 * @param weights how often each image counts (once)
 */
export function classificationMetrics(
  predicted: Int32Array,
  labels: Int32Array,
  classes: number,
  weights?: Uint32Array,
): ClassificationMetrics {
  const right = new Float64Array(classes);
  const all = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) {
    const weight = weights?.[i] ?? 1;
    all[labels[i]!]! += weight;
    if (predicted[i] === labels[i]) right[labels[i]!]! += weight;
  }
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const shares = Float64Array.from(right, (value, c) => (all[c]! > 0 ? value / all[c]! : 0));
  return {
    top1: (100 * sum(right)) / sum(all),
    meanPerClass: (100 * sum(shares)) / all.filter((count) => count > 0).length,
  };
}
