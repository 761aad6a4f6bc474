import { drawBlock } from './block.js';
import type { MaskOptions, MaskRandom } from './mask.js';

/**
 * Masks all but one rectangle: the complement of a block of `rows * columns - count` visible cells. Draws as
 * `drawBlock` does.
 *
 * @returns rows x columns bytes, row-major, exactly `count` ones
 * @see data.py `InverseBlockMasking` of the published CAPI code
 */
export function drawInverseBlock(options: MaskOptions, count: number, random: MaskRandom): Uint8Array {
  const visible = drawBlock(options, options.rows * options.columns - count, random);
  return visible.map((inside) => 1 - inside);
}
