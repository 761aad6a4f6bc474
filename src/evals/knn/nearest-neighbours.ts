// Q queries (of a chunk) · T training rows (of a chunk) · D width · K neighbours of a query
import { ShapeError, UsageError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';

/** How near two features are: 1 - cos of their angle, or the Euclidean distance. */
export type Distance = 'cosine' | 'L2';

export interface NeighbourOptions {
  /** Neighbours of a query, 1 to T. */
  readonly k: number;
  readonly distance: Distance;
  /** Where products are computed (`cpu`). */
  readonly device?: string;
  /** Queries and training rows (at least K) that are compared at once (1024 and 4096: 16 MiB of scores). */
  readonly queryChunk?: number;
  readonly trainChunk?: number;
}

/** The neighbours of each query, nearest first; both arrays are (Q, K), row by row. */
export interface Neighbours {
  readonly k: number;
  /** Rows of the training features. */
  readonly indices: Int32Array;
  readonly distances: Float32Array;
}

const QUERY_CHUNK = 1024;
const TRAIN_CHUNK = 4096;

/** Bytes that a search of rows of a width holds beside these and the result: a chunk of scores and of training rows. */
export function chunkBytes(width: number): number {
  return 4 * TRAIN_CHUNK * (QUERY_CHUNK + width);
}

/** More than so many neighbours are sorted by the engine: sorted insertion into long lists is slow. */
const MOST_INSERTED = 256;

/**
 * Exact nearest neighbours of `query_QD` in `train_TD`, float32. Memory beyond the result: one chunk of scores and a copy
 * of one chunk of training rows. The chunks do not change what is found, up to the order of equal distances, of which on
 * the CPU the lower row comes first.
 *
 * Cosine divides by the bare norm, L2 expands the square and clamps it at 0, as the published code does: a row of zeros has
 * no cosine and comes last. Source: CAPI eval_segmentation.py and `torch.cdist` (reference section 7.1).
 *
 * @throws {ShapeError} the widths differ. @throws {UsageError} there are fewer than `k` training rows.
 */
export function nearestNeighbours(query_QD: Tensor, train_TD: Tensor, options: NeighbourOptions): Neighbours {
  const { k, distance, device = 'cpu', queryChunk = QUERY_CHUNK, trainChunk = TRAIN_CHUNK } = options;
  const [queries, rows] = [query_QD.size(0), train_TD.size(0)];
  checkShapes(query_QD, train_TD, k);
  const search = () => {
    const best = {
      scores_QK: ops.full([queries, k], Number.POSITIVE_INFINITY, 'float32', device),
      indices_QK: ops.full([queries, k], -1, 'int64', device),
    };
    // The first chunk has to fill the lists.
    forChunks(rows, Math.max(trainChunk, k), (start, length) => {
      const train = prepare(train_TD, start, length, distance, device);
      forChunks(queries, queryChunk, (from, count) => {
        const scores_QT = scoresOf(onDevice(query_QD, from, count, device), train);
        const scores_QK = ops.narrow(best.scores_QK, 0, from, count);
        keepBest({ scores_QK, indices_QK: ops.narrow(best.indices_QK, 0, from, count) }, scores_QT, start);
      });
    });
    forChunks(queries, queryChunk, (from, count) => {
      const scores_QK = ops.narrow(best.scores_QK, 0, from, count);
      ops.copy_(scores_QK, toDistances(scores_QK, onDevice(query_QD, from, count, device), distance));
    });
    return {
      k,
      indices: ops.toDevice(best.indices_QK, 'cpu', 'int32').data() as Int32Array,
      distances: ops.toDevice(best.scores_QK, 'cpu', 'float32').data() as Float32Array,
    };
  };
  return noGrad(() => scope(search));
}

/** The best of all training rows so far; indices are int64. */
interface Best {
  readonly scores_QK: Tensor;
  readonly indices_QK: Tensor;
}

/** Training rows as scores need them: negative unit rows for cosine; for L2 the rows themselves. */
interface Prepared {
  readonly rows_TD: Tensor;
  /** Half the squares of the norms, (1, T), for L2. */
  readonly halfSquares_1T?: Tensor;
}

function onDevice(all: Tensor, start: number, length: number, device: string): Tensor {
  return ops.toDevice(ops.narrow(all, 0, start, length), device, 'float32');
}

function prepare(all_TD: Tensor, start: number, length: number, distance: Distance, device: string): Prepared {
  const rows_TD = onDevice(all_TD, start, length, device);
  const norms_T1 = ops.norm(rows_TD, 2, [1], true);
  if (distance === 'cosine') return { rows_TD: ops.div(rows_TD, ops.neg(norms_T1)) };
  return { rows_TD, halfSquares_1T: ops.transpose(ops.mul(ops.mul(norms_T1, norms_T1), 0.5), 0, 1) };
}

/** Numbers that grow with the distance to one query: -cos times its norm, or half the square without its own part. */
function scoresOf(query_QD: Tensor, { rows_TD, halfSquares_1T }: Prepared): Tensor {
  const transposed_DT = ops.transpose(rows_TD, 0, 1);
  if (halfSquares_1T === undefined) return ops.matmul(query_QD, transposed_DT);
  return ops.addmm(halfSquares_1T, query_QD, transposed_DT, 1, -1);
}

/** Puts what is smaller in a chunk that begins at the row `start` into the lists. NaN comes last. */
function keepBest(best: Best, scores_QT: Tensor, start: number): void {
  const k = best.scores_QK.size(1);
  if (scores_QT.device === 'cpu' && k <= MOST_INSERTED) {
    ops.keepSmallest_(best.scores_QK, best.indices_QK, scores_QT, start);
    return;
  }
  const [found_QK, places_QK] = ops.topk(scores_QT, Math.min(k, scores_QT.size(1)), 1, false);
  const scores = start === 0 ? found_QK : ops.cat([best.scores_QK, found_QK], 1);
  const indices = start === 0 ? places_QK : ops.cat([best.indices_QK, ops.add(places_QK, start)], 1);
  const [scores_QK, kept_QK] = ops.topk(scores, k, 1, false);
  ops.copy_(best.scores_QK, scores_QK);
  ops.copy_(best.indices_QK, ops.gather(indices, 1, kept_QK));
}

function toDistances(scores_QK: Tensor, query_QD: Tensor, distance: Distance): Tensor {
  const norms_Q1 = ops.norm(query_QD, 2, [1], true);
  if (distance === 'cosine') return ops.add(ops.div(scores_QK, norms_Q1), 1);
  return ops.sqrt(ops.clampMin(ops.add(ops.mul(scores_QK, 2), ops.mul(norms_Q1, norms_Q1)), 0));
}

/** Tensors that `use` makes are freed. */
function forChunks(count: number, step: number, use: (start: number, length: number) => void): void {
  for (let start = 0; start < count; start += step) scope(() => use(start, Math.min(step, count - start)));
}

function checkShapes(query_QD: Tensor, train_TD: Tensor, k: number): void {
  if (query_QD.size(1) !== train_TD.size(1)) {
    throw new ShapeError(`Expected features of one width, received ${query_QD.size(1)} and ${train_TD.size(1)}.`);
  }
  const rows = train_TD.size(0);
  if (Number.isInteger(k) && k >= 1 && k <= rows) return;
  throw new UsageError(`Expected 1 to ${rows} neighbours, for there are ${rows} training features, received ${k}.`, {
    hint: 'Use more training images or a smaller k.',
  });
}
