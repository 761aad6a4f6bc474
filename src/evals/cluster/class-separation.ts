// N samples · D width · K classes · C samples of a chunk
import { ShapeError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../tensor/tensor.js';

/** How far apart classes lie in a feature space, by Euclidean distances. */
export interface ClassSeparation {
  /** Mean over the samples of how much nearer the own class is than the next one, in [-1, 1]; more is better. */
  readonly silhouette: number;
  /** Davies-Bouldin index: mean over the classes of spread against distance to the worst other one; 0 is best. */
  readonly daviesBouldin: number;
}

/** Samples whose distances to all others are in memory at once, and the most distances that are: 32 MiB. */
const CHUNK = 512;
const DISTANCES = 2 ** 22;

/**
 * Separation of classes (or clusters), computed in float64 as scikit-learn's `silhouette_score` and `davies_bouldin_score`
 * do. A class of one sample has a silhouette of 0. Memory: a few times 32 MiB; time grows with N².
 *
 * @param features_ND any float dtype, on the CPU; not changed
 * @param labels (N) any integers, at least two different ones and fewer than N
 * @throws {ShapeError} the numbers of features and labels differ, or there are too few or too many classes.
 */
export function classSeparation(features_ND: Tensor, labels: ArrayLike<number>): ClassSeparation {
  const [samples, width] = features_ND.shape;
  const names = [...new Set(Array.from(labels))].sort((a, b) => a - b);
  if (samples !== labels.length || width === undefined || names.length < 2 || names.length >= labels.length) {
    throw new ShapeError(
      `Expected features (N, D) with N labels of 2 to N - 1 classes, received (${features_ND.shape.join(', ')}) with ` +
        `${labels.length} labels of ${names.length} classes.`,
    );
  }
  const rank = new Map(names.map((name, i) => [name, i]));
  const classes = Int32Array.from(Array.from(labels), (label) => rank.get(label)!);
  const sizes = new Float64Array(names.length);
  for (const own of classes) sizes[own]!++;
  return noGrad(() =>
    scope(() => {
      const features = ops.to(features_ND, 'float64');
      const classes_N = ops.to(Tensor.from(classes, [samples]), 'int64');
      return {
        silhouette: meanSilhouette(features, classes_N, classes, sizes),
        daviesBouldin: daviesBouldin(features, classes_N, classes, sizes),
      };
    }),
  );
}

function meanSilhouette(features_ND: Tensor, classes_N: Tensor, classes: Int32Array, sizes: Float64Array): number {
  const squares_N1 = ops.sumDim(ops.mul(features_ND, features_ND), [1], true);
  const step = Math.max(1, Math.min(CHUNK, Math.floor(DISTANCES / classes.length)));
  let sum = 0;
  for (let start = 0; start < classes.length; start += step) {
    const count = Math.min(step, classes.length - start);
    const sums = scope(() => {
      const chunk_CD = ops.narrow(features_ND, 0, start, count);
      const products_NC = ops.matmul(features_ND, ops.transpose(chunk_CD, 0, 1));
      const ends_1C = ops.transpose(ops.narrow(squares_N1, 0, start, count), 0, 1);
      const squared_NC = ops.sub(ops.add(squares_N1, ends_1C), ops.mul(products_NC, 2));
      const distances_NC = ops.sqrt(ops.clampMin(squared_NC, 0));
      // A sample's distance to itself is 0 but for rounding, whose root is not small.
      const itself = Tensor.from(
        Int32Array.from({ length: count }, (_, i) => start + i),
        [1, count],
      );
      const rounding_1C = ops.gather(distances_NC, 0, ops.to(itself, 'int64'));
      const zeros_KC = ops.zeros([sizes.length, count], 'float64', features_ND.device);
      const sums_KC = ops.indexAdd(zeros_KC, 0, classes_N, distances_NC);
      return { toClass: sums_KC.numbers(), rounding: rounding_1C.numbers() };
    });
    for (let i = 0; i < count; i++) {
      const own = classes[start + i]!;
      const toClass = (k: number) => sums.toClass[k * count + i]!;
      sum += silhouette(own, sizes, (k) => (k === own ? toClass(k) - sums.rounding[i]! : toClass(k)));
    }
  }
  return sum / classes.length;
}

/** Of one sample, from the sums of its distances to the samples of each class. */
function silhouette(own: number, sizes: Float64Array, sumTo: (k: number) => number): number {
  if (sizes[own] === 1) return 0;
  const inside = sumTo(own) / (sizes[own]! - 1);
  let outside = Number.POSITIVE_INFINITY;
  for (let k = 0; k < sizes.length; k++) if (k !== own) outside = Math.min(outside, sumTo(k) / sizes[k]!);
  const larger = Math.max(inside, outside);
  return larger === 0 ? 0 : (outside - inside) / larger;
}

function daviesBouldin(features_ND: Tensor, classes_N: Tensor, classes: Int32Array, sizes: Float64Array): number {
  const width = features_ND.size(1);
  const count = sizes.length;
  const sizes_K1 = Tensor.from(sizes, [count, 1]);
  const sums_KD = ops.indexAdd(ops.zeros([count, width], 'float64', features_ND.device), 0, classes_N, features_ND);
  const centres_KD = ops.div(sums_KD, sizes_K1);
  const offsets_ND = ops.sub(features_ND, ops.indexSelect(centres_KD, 0, classes_N));
  const distances = ops.norm(offsets_ND, 2, [1], false).numbers();
  const spread = new Float64Array(count);
  classes.forEach((own, i) => {
    spread[own]! += distances[i]! / sizes[own]!;
  });
  const centres = centres_KD.numbers();
  let sum = 0;
  for (let a = 0; a < count; a++) {
    let worst = 0;
    for (let b = 0; b < count; b++) {
      if (a === b) continue;
      let squared = 0;
      for (let d = 0; d < width; d++) squared += (centres[a * width + d]! - centres[b * width + d]!) ** 2;
      // Classes with one centre cannot be told apart at all; scikit-learn leaves such pairs out.
      if (squared > 0) worst = Math.max(worst, (spread[a]! + spread[b]!) / Math.sqrt(squared));
    }
    sum += worst;
  }
  return sum / count;
}
