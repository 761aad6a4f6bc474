// D width · Y X rows and columns of patches
import { normal } from '../nn/init.js';
import { Module, ModuleBuffer, type Parameter } from '../nn/module.js';
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';

export interface PositionTableOptions {
  readonly width: number;
  readonly rows: number;
  readonly columns: number;
  /** Trained from small random numbers; otherwise sines and cosines that stay. */
  readonly learned: boolean;
  /** Resizing to a smaller grid averages, with Pillow's bicubic kernel (a = -0.5); otherwise PyTorch's plain one. */
  readonly antialias: boolean;
  /** What is added to the new grid's sides before its scale is computed. */
  readonly offset: number;
}

/**
 * A vector for every patch of a grid, which other grids get resized. Sources: MIM-Refiner, kappamodules `VitPosEmbed2d` and
 * `interpolate_sincos` (no antialiasing, offset 0); DINOv2 vision_transformer.py `interpolate_pos_encoding` (offset 0.1,
 * or antialiased with registers); timm `resample_abs_pos_embed` (antialiased).
 */
export class PositionTable extends Module {
  /** (1, Y, X, D) */
  readonly table: Parameter | ModuleBuffer;
  readonly #options: PositionTableOptions;

  constructor(options: PositionTableOptions, generator: Generator) {
    super();
    this.#options = options;
    const { rows, columns, width, learned } = options;
    this.table = learned
      ? normal([1, rows, columns, width], 0.02, generator)
      : ModuleBuffer.adopt(scope(() => ops.unflatten(sineTable(rows, columns, width), 1, [rows, columns])));
  }

  /** Vectors for a grid, row by row: (1, rows·columns, D). Resized in float32 whatever the table's dtype, as published. */
  forward(rows: number, columns: number): Tensor {
    const { antialias, offset, ...stored } = this.#options;
    return scope(() => {
      if (rows === stored.rows && columns === stored.columns) return ops.flatten(this.table, 1, 2);
      const table_1DYX = ops.permute(ops.to(this.table, 'float32'), [0, 3, 1, 2]);
      const scales: [number | null, number | null] =
        offset === 0 ? [null, null] : [(rows + offset) / stored.rows, (columns + offset) / stored.columns];
      const resize = antialias ? ops.upsampleBicubic2dAntialiased : ops.upsampleBicubic2d;
      const resized_1DYX = resize(table_1DYX, [rows, columns], false, ...scales);
      return ops.to(ops.flatten(ops.permute(resized_1DYX, [0, 2, 3, 1]), 1, 2), this.table.dtype);
    });
  }
}

/**
 * Sines and cosines for every patch, row by row: (1, rows·columns, D) in float32, D a multiple of 4. The first half of the
 * channels is of the column, the second of the row. Source: MAE util/pos_embed.py `get_2d_sincos_pos_embed`.
 */
export function sineTable(rows: number, columns: number, width: number): Tensor {
  const quarter = width / 4;
  const values = new Float32Array(rows * columns * width);
  const frequencies = Float64Array.from({ length: quarter }, (_, i) => 10000 ** -(i / quarter));
  for (let patch = 0; patch < rows * columns; patch++) {
    const places = [patch % columns, Math.floor(patch / columns)];
    for (const [half, place] of places.entries()) {
      const start = patch * width + half * 2 * quarter;
      for (const [i, frequency] of frequencies.entries()) {
        values[start + i] = Math.sin(place * frequency);
        values[start + quarter + i] = Math.cos(place * frequency);
      }
    }
  }
  return Tensor.from(values, [1, rows * columns, width]);
}
