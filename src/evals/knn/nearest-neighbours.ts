// Q queries · T training rows · D width · K neighbours of a query
import { ShapeError, UsageError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** How near two features are: 1 - cos of their angle, or the Euclidean distance. */
export type Distance = 'cosine' | 'L2';

export interface NeighbourOptions {
  /** Neighbours of a query, 1 to T. */
  readonly k: number;
  readonly distance: Distance;
  /** Where products are computed (`cpu`). */
  readonly device?: string;
  /** Queries and training rows that are compared at once (1024 and 16384: 64 MiB of distances). */
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

/**
 * Exact nearest neighbours of `query_QD` in `train_TD`, float32. Memory beyond the result: one chunk of distances and a
 * copy of one chunk of training rows. The chunks do not change what is found, up to the order of equal distances.
 *
 * Cosine divides by the bare norm, L2 expands the square and clamps it at 0, as the published code does: a row of zeros has
 * no cosine and comes last. Source: CAPI eval_segmentation.py and `torch.cdist` (reference section 7.1).
 *
 * @throws {ShapeError} the widths differ. @throws {UsageError} there are fewer than `k` training rows.
 */
export function nearestNeighbours(query_QD: Tensor, train_TD: Tensor, options: NeighbourOptions): Neighbours {
  const { k, distance, device = 'cpu', queryChunk = 1024, trainChunk = 16384 } = options;
  const [queries, rows] = [query_QD.size(0), train_TD.size(0)];
  checkShapes(query_QD, train_TD, k);
  const chunks = starts(queries, queryChunk).map((start) => ({ start, length: Math.min(queryChunk, queries - start) }));
  let best: [Tensor, Tensor][] = [];
  for (const start of starts(rows, trainChunk)) {
    const former = best;
    best = scope(() => {
      const train = prepare(train_TD, start, Math.min(trainChunk, rows - start), distance, device);
      return chunks.map((chunk, i) => {
        return scope(() => {
          const query = prepare(query_QD, chunk.start, chunk.length, distance, device);
          return nearer(former[i], nearestInChunk(query.rows, train, k, start), k);
        });
      });
    });
    for (const tensor of former.flat()) tensor.dispose();
  }
  const found = { k, indices: new Int32Array(queries * k), distances: new Float32Array(queries * k) };
  best.forEach(([scores_QK, indices_QK], i) => {
    const { start, length } = chunks[i]!;
    scope(() => {
      const distances = toDistances(scores_QK, prepare(query_QD, start, length, distance, device), distance);
      found.distances.set(ops.toDevice(distances, 'cpu', 'float32').data() as Float32Array, start * k);
      found.indices.set(ops.toDevice(indices_QK, 'cpu', 'int32').data() as Int32Array, start * k);
    });
    scores_QK.dispose();
    indices_QK.dispose();
  });
  return found;
}

interface Rows {
  /** Unit rows for cosine, the rows themselves for L2. */
  readonly rows: Tensor;
  /** Half the square of each norm (rows, 1), for L2. */
  readonly halfSquares?: Tensor;
}

function prepare(all: Tensor, start: number, length: number, distance: Distance, device: string): Rows {
  const rows = ops.toDevice(ops.narrow(all, 0, start, length), device, 'float32');
  if (distance === 'cosine') return { rows: ops.div(rows, ops.norm(rows, 2, [1], true)) };
  return { rows, halfSquares: ops.mul(ops.sumDim(ops.mul(rows, rows), [1], true), 0.5) };
}

/**
 * The K best of one training chunk as scores and indices. Scores grow with the distance to one query: -cos, or half the
 * square without the query's own part. The smallest are taken, so that NaN comes last.
 */
function nearestInChunk(query_QD: Tensor, train: Rows, k: number, start: number): [Tensor, Tensor] {
  const transposed_DT = ops.transpose(train.rows, 0, 1);
  const scores_QT =
    train.halfSquares === undefined
      ? ops.matmul(ops.neg(query_QD), transposed_DT)
      : ops.addmm(ops.transpose(train.halfSquares, 0, 1), query_QD, transposed_DT, 1, -1);
  const [scores_QK, indices_QK] = ops.topk(scores_QT, Math.min(k, train.rows.size(0)), 1, false);
  return [scores_QK, ops.add(indices_QK, start)];
}

function nearer(former: [Tensor, Tensor] | undefined, found: [Tensor, Tensor], k: number): [Tensor, Tensor] {
  if (former === undefined) return found;
  const scores = ops.cat([former[0], found[0]], 1);
  const [scores_QK, places_QK] = ops.topk(scores, Math.min(k, scores.size(1)), 1, false);
  return [scores_QK, ops.gather(ops.cat([former[1], found[1]], 1), 1, places_QK)];
}

function toDistances(scores_QK: Tensor, query: Rows, distance: Distance): Tensor {
  if (distance === 'cosine') return ops.add(scores_QK, 1);
  return ops.sqrt(ops.clampMin(ops.mul(ops.add(scores_QK, query.halfSquares!), 2), 0));
}

function starts(count: number, step: number): number[] {
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
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
