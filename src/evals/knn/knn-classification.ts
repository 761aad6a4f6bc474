// Q test images · K neighbours · C classes
import type { Neighbours } from './nearest-neighbours.js';

/**
 * Classes by the vote of neighbours, each weighing exp(similarity / temperature), similarity being 1 - cosine distance; an
 * infinite temperature gives every neighbour one vote. Of equal sums the lowest class wins.
 * Source: DINO eval_knn.py; MIM-Refiner metrics/knn.py (k 10, temperature 0.07).
 *
 * @param labels class of each training row, 0 to `classes` - 1
 * @param votes how many of the neighbours vote, the nearest first (all)
 * @returns (Q) class ids
 */
export function voteClasses(
  neighbours: Neighbours,
  labels: Int32Array,
  classes: number,
  temperature: number,
  votes = neighbours.k,
): Int32Array {
  const { k, indices, distances } = neighbours;
  const predicted = new Int32Array(indices.length / k);
  const sums = new Float64Array(classes);
  for (let q = 0; q < predicted.length; q++) {
    sums.fill(0);
    // The nearest one's weight is 1: a common factor that keeps the exponential finite at any temperature.
    const nearest = distances[q * k]!;
    for (let i = q * k; i < q * k + votes; i++) {
      sums[labels[indices[i]!]!]! += Math.exp((nearest - distances[i]!) / temperature);
    }
    for (let c = 1; c < classes; c++) if (sums[c]! > sums[predicted[q]!]!) predicted[q] = c;
  }
  return predicted;
}
