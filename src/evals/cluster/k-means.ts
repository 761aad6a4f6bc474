// N samples · D width · K clusters · C samples of a chunk
import { UsageError } from '../../support/errors.js';
import { Random } from '../../support/random.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../tensor/tensor.js';

export interface KMeansOptions {
  /** Number of clusters K, 1 to N. */
  readonly clusters: number;
  /** Independent runs, of which the one with the least inertia counts (10). */
  readonly runs?: number;
  /** Rounds of a run at most (300). */
  readonly maxIterations?: number;
  readonly seed?: number;
  /** Centres to start the only run from, (K, D); drawn by k-means++ when left out. */
  readonly start?: Tensor;
  readonly onRun?: ((done: number, total: number) => void) | undefined;
}

export interface KMeansResult {
  /** (N) clusters 0 to K - 1. */
  readonly clusters: Int32Array;
  /** Sum of the squared distances to the centres. */
  readonly inertia: number;
  /** Rounds of the run that counts. */
  readonly iterations: number;
}

/** Samples that are compared with all centres at once. */
const CHUNK = 4096;

/**
 * k-means with Euclidean distances: Lloyd's rounds until no sample changes its cluster, in float64. A cluster that runs empty
 * moves to the sample that is farthest from its centre, as in scikit-learn. Memory: a float64 copy of the features and
 * 4096 x K distances.
 *
 * @param features_ND any float dtype, on the CPU; not changed
 * @throws {UsageError} there are fewer samples than clusters.
 */
export function kMeans(features_ND: Tensor, options: KMeansOptions): KMeansResult {
  const { clusters, runs = 10, maxIterations = 300, seed = 0, start, onRun } = options;
  return bestRun(features_ND, { clusters, runs: start ? 1 : runs, onRun }, (features, run) => {
    const centres = start ? ops.to(start, 'float64') : drawCentres(features, clusters, Random.from(seed, run));
    return runOnce(features, centres, maxIterations);
  });
}

/**
 * The run with the least inertia.
 *
 * @param once a run over the features in float64; its tensors are freed
 * @throws {UsageError} there are fewer samples than clusters, or no clusters.
 */
export function bestRun(
  features_ND: Tensor,
  { clusters, runs, onRun }: Pick<KMeansOptions, 'clusters' | 'onRun'> & { readonly runs: number },
  once: (features_ND: Tensor, run: number) => KMeansResult,
): KMeansResult {
  checkClusters(clusters, features_ND.size(0));
  return noGrad(() =>
    scope(() => {
      const features = ops.to(features_ND, 'float64');
      let best: KMeansResult | undefined;
      for (let run = 0; run < runs; run++) {
        const found = scope(() => once(features, run));
        if (best === undefined || found.inertia < best.inertia) best = found;
        onRun?.(run + 1, runs);
      }
      return best!;
    }),
  );
}

function checkClusters(clusters: number, samples: number): void {
  if (Number.isInteger(clusters) && clusters >= 1 && clusters <= samples) return;
  throw new UsageError(`Expected 1 to ${samples} clusters, for there are ${samples} samples, received ${clusters}.`);
}

/** k-means++: each further centre is a sample, drawn with its squared distance to the nearest centre so far as weight. */
export function drawCentres(features_ND: Tensor, clusters: number, random: Random): Tensor {
  const samples = features_ND.size(0);
  const chosen = [random.integer(0, samples - 1)];
  const nearest = new Float64Array(samples).fill(Number.POSITIVE_INFINITY);
  while (chosen.length < clusters) {
    const squares = scope(() => {
      const offsets = ops.sub(features_ND, ops.narrow(features_ND, 0, chosen.at(-1)!, 1));
      return ops.sumDim(ops.mul(offsets, offsets), [1], false).numbers();
    });
    let sum = 0;
    for (let i = 0; i < samples; i++) sum += nearest[i] = Math.min(nearest[i]!, squares[i]!);
    let rest = random.uniform() * sum;
    let next = 0;
    while (next < samples - 1 && rest >= nearest[next]!) rest -= nearest[next++]!;
    chosen.push(next);
  }
  return ops.indexSelect(features_ND, 0, Tensor.from(Int32Array.from(chosen), [clusters]));
}

function runOnce(features_ND: Tensor, start_KD: Tensor, maxIterations: number): KMeansResult {
  let centres = ops.clone(start_KD);
  let before: Int32Array | undefined;
  for (let iteration = 1; ; iteration++) {
    const { clusters, squares, inertia } = assign(features_ND, centres);
    if (iteration > maxIterations || before?.every((cluster, i) => cluster === clusters[i])) {
      return { clusters, inertia, iterations: iteration - 1 };
    }
    const former = centres;
    centres = scope(() => moveCentres(features_ND, former.size(0), clusters, squares));
    former.dispose();
    before = clusters;
  }
}

/** The nearest centre of each sample, and the squared distance to it. */
export function assign(features_ND: Tensor, centres_KD: Tensor) {
  const samples = features_ND.size(0);
  const clusters = new Int32Array(samples);
  const squares = new Float64Array(samples);
  let inertia = 0;
  scope(() => {
    const halfSquares_1K = ops.mul(ops.sumDim(ops.mul(centres_KD, centres_KD), [1], false), 0.5);
    const centres_DK = ops.transpose(centres_KD, 0, 1);
    for (let from = 0; from < samples; from += CHUNK) {
      scope(() => {
        const chunk_CD = ops.narrow(features_ND, 0, from, Math.min(CHUNK, samples - from));
        const winners_C = ops.argmax(ops.sub(ops.matmul(chunk_CD, centres_DK), halfSquares_1K), 1);
        const offsets = ops.sub(chunk_CD, ops.indexSelect(centres_KD, 0, winners_C));
        clusters.set(winners_C.numbers(), from);
        squares.set(ops.sumDim(ops.mul(offsets, offsets), [1], false).numbers(), from);
      });
    }
  });
  for (const square of squares) inertia += square;
  return { clusters, squares, inertia };
}

function moveCentres(features_ND: Tensor, count: number, clusters: Int32Array, squares: Float64Array): Tensor {
  const owner = settleEmpty(count, clusters, squares);
  const sizes = new Float64Array(count);
  for (const cluster of owner) sizes[cluster]!++;
  const zeros_KD = ops.zeros([count, features_ND.size(1)], 'float64', features_ND.device);
  const sums_KD = ops.indexAdd(zeros_KD, 0, Tensor.from(owner, [owner.length]), features_ND);
  return ops.div(sums_KD, Tensor.from(sizes, [count, 1]));
}

/** Gives each empty cluster the farthest sample of those that still share theirs. */
function settleEmpty(count: number, clusters: Int32Array, squares: Float64Array): Int32Array {
  const sizes = new Int32Array(count);
  for (const cluster of clusters) sizes[cluster]!++;
  const empty = [...sizes.keys()].filter((cluster) => sizes[cluster] === 0);
  if (empty.length === 0) return clusters;
  const owner = clusters.slice();
  const farthest = [...clusters.keys()].sort((a, b) => squares[b]! - squares[a]!);
  for (const sample of farthest) {
    if (empty.length === 0) break;
    if (sizes[owner[sample]!] === 1) continue;
    sizes[owner[sample]!]!--;
    owner[sample] = empty.pop()!;
  }
  return owner;
}
