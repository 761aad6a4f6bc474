import type { MaskOptions, MaskRandom } from './mask.js';

/**
 * Masks `count` cells, every set of that size being equally likely. Draws one integer for each masked cell.
 *
 * @returns rows x columns bytes, row-major, exactly `count` ones
 * @see data.py `UniformMasking` of the published CAPI code, which shuffles with numpy's generator
 */
export function drawUniform({ rows, columns }: MaskOptions, count: number, random: MaskRandom): Uint8Array {
  const cells = Int32Array.from({ length: rows * columns }, (_, cell) => cell);
  const mask = new Uint8Array(cells.length);
  for (let i = 0; i < count; i++) {
    const j = random.integer(i, cells.length - 1);
    mask[cells[j]!] = 1;
    cells[j] = cells[i]!;
  }
  return mask;
}
