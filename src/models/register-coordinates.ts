// B batch · V visible patches · R registers
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';

export interface RegisterCoordinatesOptions {
  /** Around the edge of the image (a multiple of 4 registers), or all at the origin. */
  readonly registerCoordinates: 'edge' | 'zeros';
  /** Shrinks the registers' square to the bounding box of each image's visible patches. */
  readonly scaleRegistersToVisible: boolean;
}

/**
 * Where registers are for the rotary embedding, (B, R, 2), from the coordinates of visible patches (B, V, 2).
 * Source: CAPI model.py `EncoderDecoder.prepare_tokens_and_drop`.
 */
export function registerCoordinates(
  coordinates_BV2: Tensor,
  count: number,
  options: RegisterCoordinatesOptions,
): Tensor {
  return scope(() => {
    const square = options.registerCoordinates === 'edge' ? edgeCoordinates(count) : new Float64Array(2 * count);
    const { dtype, device } = coordinates_BV2;
    const square_1R2 = ops.toDevice(Tensor.from(square, [1, count, 2]), device, dtype);
    if (!options.scaleRegistersToVisible) return ops.expand(square_1R2, [coordinates_BV2.size(0), count, 2]);
    const low = ops.amin(coordinates_BV2, [1], true);
    const high = ops.amax(coordinates_BV2, [1], true);
    return ops.add(low, ops.mul(square_1R2, ops.sub(high, low)));
  });
}

/**
 * Registers around the unit square, as (row, column): down the first column, along the last row, up, and back.
 * Source: CAPI model.py `get_edge_coordinates`.
 */
export function edgeCoordinates(count: number): Float64Array {
  const side = count / 4;
  const result = new Float64Array(2 * count);
  for (let i = 0; i < side; i++) {
    const c = i / side;
    const corners = [
      [c, 0],
      [1, c],
      [1 - c, 1],
      [0, 1 - c],
    ];
    for (const [edge, point] of corners.entries()) result.set(point, 2 * (edge * side + i));
  }
  return result;
}
