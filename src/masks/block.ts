import type { MaskOptions, MaskRandom } from './mask.js';

/**
 * One rectangle of exactly `count` cells: the last row is cut from the right where the rectangle has more.
 *
 * Draws, in this order: log aspect ratio (uniform), top, left, and with `roll` row shift, column shift. A count of 0
 * draws nothing. Grids so elongated that no rectangle of the allowed aspect fits get the one that fits best, where
 * the published code raises.
 *
 * @returns rows x columns bytes, row-major, 1 inside the block
 * @see data.py `BlockMasking` of the published CAPI code
 */
export function drawBlock(options: MaskOptions, count: number, random: MaskRandom): Uint8Array {
  const { rows, columns } = options;
  const mask = new Uint8Array(rows * columns);
  if (count === 0) return mask;
  const { height, width } = blockSize(options, count, random);
  const top = random.integer(0, rows - height);
  const left = random.integer(0, columns - width);
  const rowShift = options.roll ? random.integer(0, rows - 1) : 0;
  const columnShift = options.roll ? random.integer(0, columns - 1) : 0;
  for (let cell = 0; cell < count; cell++) {
    const row = (top + Math.floor(cell / width) + rowShift) % rows;
    const column = (left + (cell % width) + columnShift) % columns;
    mask[row * columns + column] = 1;
  }
  return mask;
}

function blockSize({ rows, columns, minAspect = 0.5 }: MaskOptions, count: number, random: MaskRandom) {
  const low = Math.max(Math.log(minAspect), Math.log(count / columns ** 2));
  const high = Math.min(Math.log(1 / minAspect), Math.log(rows ** 2 / (count + 1e-5)));
  const aspect = Math.exp(random.uniform(low, high));
  let height = Math.min(rows, Math.ceil(Math.sqrt(count * aspect)));
  const width = Math.min(columns, Math.ceil(Math.sqrt(count / aspect)));
  // Only where a side was cut to the grid does the rectangle come out too small.
  if (height * width < count) height = Math.ceil(count / width);
  if (height <= rows) return { height, width };
  return { height: rows, width: Math.ceil(count / rows) };
}
