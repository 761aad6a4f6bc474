// A heads · N tokens (class token first) · Y X rows and columns of patches
import { zeros } from '../nn/init.js';
import { Module, type Parameter } from '../nn/module.js';
import { ShapeError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';

/**
 * A learned number for every offset of two patches and every head, which all blocks add to their attention. Three more
 * rows are for the class token: from it to patches, to it from patches, and to itself.
 * Source: BEiT modeling_finetune.py `RelativePositionBias`.
 */
export class RelativePositions extends Module {
  /** ((2Y - 1)·(2X - 1) + 3, A) */
  readonly table: Parameter;

  constructor(
    private readonly rows: number,
    private readonly columns: number,
    heads: number,
  ) {
    super();
    this.table = zeros([(2 * rows - 1) * (2 * columns - 1) + 3, heads]);
  }

  /** What is added to products of queries and keys, (1, A, N, N). @throws {ShapeError} the grid is another one. */
  forward(rows: number, columns: number, classToken: boolean): Tensor {
    if (rows !== this.rows || columns !== this.columns) {
      throw new ShapeError(
        `Expected images of ${this.columns}x${this.rows} patches, as relative positions cannot be resized; received ${columns}x${rows}.`,
        { hint: 'Use the image size that the encoder was trained with.' },
      );
    }
    return scope(() => {
      const patches = rows * columns;
      const tokens = patches + (classToken ? 1 : 0);
      const index = Tensor.from(relativeIndex(rows, columns, classToken), [tokens * tokens]);
      const rows_NA = ops.indexSelect(this.table, 0, ops.toDevice(index, this.table.device, 'int64'));
      return ops.unsqueeze(ops.permute(ops.unflatten(rows_NA, 0, [tokens, tokens]), [2, 0, 1]), 0);
    });
  }
}

/** For every pair of tokens (query, key), its row of the table. */
function relativeIndex(rows: number, columns: number, classToken: boolean): Int32Array {
  const first = classToken ? 1 : 0;
  const tokens = rows * columns + first;
  const offsets = (2 * rows - 1) * (2 * columns - 1);
  const index = new Int32Array(tokens * tokens);
  for (let query = 0; query < tokens; query++) {
    for (let key = 0; key < tokens; key++) {
      const [q, k] = [query - first, key - first];
      const down = Math.floor(q / columns) - Math.floor(k / columns) + rows - 1;
      const right = (q % columns) - (k % columns) + columns - 1;
      const ofClass = q < 0 && k < 0 ? 2 : k < 0 ? 1 : 0;
      index[query * tokens + key] = q < 0 || k < 0 ? offsets + ofClass : down * (2 * columns - 1) + right;
    }
  }
  return index;
}
