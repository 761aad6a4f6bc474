// N samples · D width · K clusters · B samples of a batch
import { Random } from '../../support/random.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
import { assign, bestRun, drawCentres, type KMeansResult } from './k-means.js';

export interface MiniBatchOptions {
  /** Number of clusters K, 1 to N. */
  readonly clusters: number;
  /** Samples of a step B. */
  readonly batchSize: number;
  /** Independent runs, of which the one with the least inertia over all samples counts. */
  readonly runs: number;
  readonly seed: number;
  /** Passes over the data of a run at most (100). */
  readonly maxPasses?: number;
  readonly onRun?: (done: number, total: number) => void;
}

/** Separates the random numbers of batches from those of the first centres. */
const BATCHES = 1;
/** Steps without a lower smoothed inertia that end a run. */
const PATIENCE = 10;

/**
 * k-means with mini-batches: each step draws samples with replacement, and moves every centre to the mean of all samples
 * that it has been given so far. A run ends when the inertia of its batches, smoothed over about one pass, has not
 * fallen for 10 steps. Memory: a float64 copy of the features, and chunks as in `kMeans`.
 *
 * Source: Sculley, Web-scale k-means clustering (2010); stopping and first centres (k-means++ on three batches) as
 * scikit-learn's `MiniBatchKMeans`, without its reassignment of small clusters.
 *
 * @param features_ND any float dtype, on the CPU; not changed
 * @throws {UsageError} there are fewer samples than clusters.
 */
export function miniBatchKMeans(features_ND: Tensor, options: MiniBatchOptions): KMeansResult {
  const { clusters, batchSize, runs, seed, maxPasses = 100, onRun } = options;
  const steps = Math.ceil((maxPasses * features_ND.size(0)) / batchSize);
  return bestRun(features_ND, { clusters, runs, onRun }, (features, run) =>
    runOnce(features, { clusters, batchSize, steps, seed, run }),
  );
}

interface Run {
  readonly clusters: number;
  readonly batchSize: number;
  readonly steps: number;
  readonly seed: number;
  readonly run: number;
}

function runOnce(features_ND: Tensor, { clusters, batchSize, steps, seed, run }: Run): KMeansResult {
  const samples = features_ND.size(0);
  const random = Random.from(seed, run, BATCHES);
  const draw = (count: number) => Int32Array.from({ length: count }, () => random.integer(0, samples - 1));
  const first = Math.max(3 * batchSize, 3 * clusters);
  const start_ND = first < samples ? pick(features_ND, draw(first)) : features_ND;
  const moving = new MovingCentres(drawCentres(start_ND, clusters, Random.from(seed, run)));
  const share = Math.min(1, (2 * batchSize) / (samples + 1));
  let [smooth, least, since, iterations] = [Number.NaN, Number.POSITIVE_INFINITY, 0, 0];
  for (; iterations < steps && since < PATIENCE; iterations++) {
    const inertia = scope(() => moving.step(pick(features_ND, draw(batchSize))));
    smooth = Number.isNaN(smooth) ? inertia : smooth + share * (inertia - smooth);
    since = smooth < least ? 0 : since + 1;
    least = Math.min(least, smooth);
  }
  const { clusters: found, inertia } = assign(features_ND, moving.centres_KD);
  return { clusters: found, inertia, iterations };
}

/** Centres that are the means of all samples that came to them. */
export class MovingCentres {
  /** float64 (K, D); changes with every step. */
  readonly centres_KD: Tensor;
  readonly #counts: Float64Array;

  /** Takes the centres over. */
  constructor(centres_KD: Tensor) {
    this.centres_KD = centres_KD;
    this.#counts = new Float64Array(centres_KD.size(0));
  }

  /** Moves the centres towards a batch (B, D), float64. @returns its inertia before the step. */
  step(batch_BD: Tensor): number {
    return scope(() => {
      const count = this.#counts.length;
      const { clusters, inertia } = assign(batch_BD, this.centres_KD);
      const before = this.#counts.slice();
      for (const cluster of clusters) this.#counts[cluster]!++;
      const weighted_KD = ops.mul(this.centres_KD, Tensor.from(before, [count, 1]));
      const sums_KD = ops.indexAdd(weighted_KD, 0, Tensor.from(clusters, [clusters.length]), batch_BD);
      // Centres without a sample so far stay where they are.
      const sizes = this.#counts.map((size) => Math.max(size, 1));
      const free = Uint8Array.from(this.#counts, (size) => (size === 0 ? 1 : 0));
      const moved_KD = ops.div(sums_KD, Tensor.from(sizes, [count, 1]));
      ops.copy_(this.centres_KD, ops.where(ops.gt(Tensor.from(free, [count, 1]), 0), this.centres_KD, moved_KD));
      return inertia;
    });
  }
}

function pick(features_ND: Tensor, rows: Int32Array): Tensor {
  return ops.indexSelect(features_ND, 0, Tensor.from(rows, [rows.length]));
}
