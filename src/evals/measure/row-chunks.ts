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
