// N rows · R rows of a chunk · D width
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';

/** Some rows of a tensor (N, D), in the order of the indices; all of them without such. */
export interface Rows {
  readonly all_ND: Tensor;
  readonly indices?: Int32Array | undefined;
}

/** Bytes of a chunk of double precision: what is done with it stays in a core's cache. */
const CHUNK_BYTES = 2 ** 20;

export function countRows({ all_ND, indices }: Rows): number {
  return indices?.length ?? all_ND.size(0);
}

/** The rows in one tensor, which shares the memory of all of them. */
export function pickRows({ all_ND, indices }: Rows): Tensor {
  if (!indices) return ops.narrow(all_ND, 0, 0, all_ND.size(0));
  return scope(() => ops.indexSelect(all_ND, 0, Tensor.from(indices, [indices.length])));
}

/** Mean of the rows: (1, D) float64. */
export function meanOf(rows: Rows): Tensor {
  const sum_1D = ops.zeros([1, rows.all_ND.size(1)], 'float64', 'cpu');
  forRowChunks(rows, (rows_RD) => ops.add_(sum_1D, ops.sumDim(rows_RD, [0], true)));
  return ops.div(sum_1D, countRows(rows));
}

/** Sum of (row - centre)ᵀ(row - centre), times `share`: (D, D) float64. */
export function momentsAround(centre_1D: Tensor, rows: Rows, share: number): Tensor {
  const width = centre_1D.size(1);
  const moments_DD = ops.zeros([width, width], 'float64', 'cpu');
  forRowChunks(rows, (rows_RD) => {
    const offsets_RD = ops.sub(rows_RD, centre_1D);
    ops.addmm_(moments_DD, ops.transpose(offsets_RD, 0, 1), offsets_RD, 1, share);
  });
  return moments_DD;
}

/**
 * Calls `use` with one chunk of rows after another, in double precision, and the place of its first row. Tensors that
 * `use` makes are freed.
 */
export function forRowChunks(rows: Rows, use: (rows_RD: Tensor, from: number) => void): void {
  const { all_ND, indices } = rows;
  const count = countRows(rows);
  const step = Math.max(1, Math.floor(CHUNK_BYTES / (8 * all_ND.size(1))));
  for (let from = 0; from < count; from += step) {
    const length = Math.min(step, count - from);
    scope(() => {
      const chunk_RD = indices
        ? ops.indexSelect(all_ND, 0, Tensor.from(indices.subarray(from, from + length), [length]))
        : ops.narrow(all_ND, 0, from, length);
      use(ops.to(chunk_RD, 'float64'), from);
    });
  }
}
