/** Box passes in each direction. */
const PASSES = 3;
const ONE = 1 << 24;
const HALF = 1 << 23;

/** A box of 2 `reach` + 1 pixels of weight `inner`, and one of weight `outer` on both sides; 24-bit fixed point. */
interface BoxWeights {
  reach: number;
  inner: number;
  outer: number;
}

/**
 * Blurs an RGB picture of `width` pixels a row in place as Pillow's `GaussianBlur(sigma)` does: three box blurs along the
 * rows, then three along the columns, each rounded to 8 bits, with the pixels of the edge repeated beyond it.
 */
export function blur(pixels: Uint8Array, width: number, sigma: number): void {
  const weights = boxWeights(sigma);
  const rowBytes = width * 3;
  const height = pixels.length / rowBytes;
  const padded = new Uint8Array((width + 2 * (weights.reach + 1)) * 3);
  for (let row = 0; row < height; row++) {
    for (let pass = 0; pass < PASSES; pass++) blurLine(pixels, row * rowBytes, rowBytes, padded, weights);
  }
  for (let pass = 0; pass < PASSES; pass++) blurColumns(pixels, rowBytes, height, weights);
}

/** Pillow's box of fractional radius whose threefold use has the variance of the Gaussian; in single precision. */
function boxWeights(sigma: number): BoxWeights {
  const f = Math.fround;
  const variance = f(f(f(sigma) * f(sigma)) / PASSES);
  const side = f(Math.sqrt(12 * variance + 1));
  const whole = Math.floor((side - 1) / 2);
  const excess = f(f((2 * whole + 1) * f(whole * (whole + 1) - f(3 * variance))));
  const radius = f(whole + f(excess / f(6 * f(variance - (whole + 1) * (whole + 1)))));
  const reach = Math.trunc(radius);
  const inner = Math.trunc(f(ONE / f(f(radius * 2) + 1)));
  return { reach, inner, outer: (ONE - (2 * reach + 1) * inner) >> 1 };
}

/** One pass over `count` bytes of interleaved colours from `start`. `padded` has room for the line with its edges. */
function blurLine(
  pixels: Uint8Array,
  start: number,
  count: number,
  padded: Uint8Array,
  { reach, inner, outer }: BoxWeights,
): void {
  const margin = 3 * (reach + 1);
  padded.set(pixels.subarray(start, start + count), margin);
  for (let i = 0; i < margin; i++) {
    padded[i] = pixels[start + (i % 3)]!;
    padded[margin + count + i] = pixels[start + count - 3 + (i % 3)]!;
  }
  const span = 3 * (2 * reach + 1);
  for (let colour = 0; colour < 3; colour++) {
    let sum = 0;
    for (let i = colour + 3; i < colour + 3 + span; i += 3) sum += padded[i]!;
    for (let i = colour; i < count; i += 3) {
      const sides = padded[i]! + padded[i + span + 3]!;
      // Up to 255 x 2^24 + 2^23, which fits 32 bits without a sign.
      pixels[start + i] = (Math.imul(inner, sum) + Math.imul(outer, sides) + HALF) >>> 24;
      sum += padded[i + span + 3]! - padded[i + 3]!;
    }
  }
}

/** One pass down all columns, row by row, so that memory is read in order. */
function blurColumns(pixels: Uint8Array, rowBytes: number, height: number, { reach, inner, outer }: BoxWeights): void {
  const source = pixels.slice();
  const row = (y: number) => Math.min(Math.max(y, 0), height - 1) * rowBytes;
  const sums = new Int32Array(rowBytes);
  for (let y = -reach; y <= reach; y++) {
    for (let x = 0, from = row(y); x < rowBytes; x++) sums[x] = sums[x]! + source[from + x]!;
  }
  for (let y = 0; y < height; y++) {
    const out = y * rowBytes;
    const above = row(y - reach - 1);
    const leaving = row(y - reach);
    const below = row(y + reach + 1);
    for (let x = 0; x < rowBytes; x++) {
      const entering = source[below + x]!;
      const sum = sums[x]!;
      pixels[out + x] = (Math.imul(inner, sum) + Math.imul(outer, source[above + x]! + entering) + HALF) >>> 24;
      sums[x] = sum + entering - source[leaving + x]!;
    }
  }
}
