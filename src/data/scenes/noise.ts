/** A number in [0, 1) that depends on a lattice point and a seed alone. */
export function hash(x: number, y: number, seed: number): number {
  let h = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ seed;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
}

/** Value noise in [0, 1): lattice numbers one unit apart, joined smoothly. */
export function valueNoise(x: number, y: number, seed: number): number {
  const column = Math.floor(x);
  const row = Math.floor(y);
  const u = smooth(x - column);
  const v = smooth(y - row);
  const top = hash(column, row, seed) * (1 - u) + hash(column + 1, row, seed) * u;
  const bottom = hash(column, row + 1, seed) * (1 - u) + hash(column + 1, row + 1, seed) * u;
  return top * (1 - v) + bottom * v;
}

/** 0 below `low`, 1 above `high`, smooth between. */
export function smoothstep(low: number, high: number, value: number): number {
  const t = (value - low) / (high - low);
  return t <= 0 ? 0 : t >= 1 ? 1 : smooth(t);
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

/** Length of a vector; `Math.hypot` is ten times slower. */
export function length(x: number, y: number): number {
  return Math.sqrt(x * x + y * y);
}

/** Like the sine of `turns` full turns, made of parabolas: cheap, and equal on every machine. */
export function wave(turns: number): number {
  const t = 2 * (turns - Math.floor(turns)) - 1;
  return 4 * t * (Math.abs(t) - 1);
}
