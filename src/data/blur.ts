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

/** A row or column of one colour: `count` bytes from `start`, `step` apart. */
interface Line {
  start: number;
  step: number;
  count: number;
}

/**
 * Blurs an RGB picture of `width` pixels a row in place as Pillow's `GaussianBlur(sigma)` does: three box blurs along the
 * rows, then three along the columns, each rounded to 8 bits, with the pixels of the edge repeated beyond it.
 */
export function blur(pixels: Uint8Array, width: number, sigma: number): void {
  const weights = boxWeights(sigma);
  const rowBytes = width * 3;
  const height = pixels.length / rowBytes;
  const padded = new Uint8Array(Math.max(width, height) + 2 * (weights.reach + 1));
  const blurLine = (line: Line) => {
    for (let i = 0; i < PASSES; i++) {
      if (weights.reach === 0) blurNear(pixels, line, weights);
      else blurFar(pixels, line, weights, padded);
    }
  };
  for (let row = 0; row < pixels.length; row += rowBytes) {
    for (let colour = 0; colour < 3; colour++) blurLine({ start: row + colour, step: 3, count: width });
  }
  for (let start = 0; start < rowBytes; start++) blurLine({ start, step: rowBytes, count: height });
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

/** One pass over a line with a box of one pixel, which is the rule: neighbours are kept in variables. */
function blurNear(pixels: Uint8Array, { start, step, count }: Line, { inner, outer }: BoxWeights): void {
  const last = start + (count - 1) * step;
  let before = pixels[start]!;
  let here = before;
  for (let i = start; i < last; i += step) {
    const after = pixels[i + step]!;
    // Up to 255 x 2^24 + 2^23, which fits 32 bits without a sign.
    pixels[i] = (Math.imul(inner, here) + Math.imul(outer, before + after) + HALF) >>> 24;
    before = here;
    here = after;
  }
  pixels[last] = (Math.imul(inner, here) + Math.imul(outer, before + here) + HALF) >>> 24;
}

/** One pass over a line with a wider box, whose sum goes along. `padded` has room for the line with its edges. */
function blurFar(
  pixels: Uint8Array,
  { start, step, count }: Line,
  { reach, inner, outer }: BoxWeights,
  padded: Uint8Array,
): void {
  const margin = reach + 1;
  const last = start + (count - 1) * step;
  padded.fill(pixels[start]!, 0, margin);
  for (let i = start, k = margin; i <= last; i += step) padded[k++] = pixels[i]!;
  padded.fill(pixels[last]!, margin + count, count + 2 * margin);
  let sum = 0;
  for (let k = 1; k < 2 * margin; k++) sum += padded[k]!;
  for (let i = start, k = 0; i <= last; i += step, k++) {
    const entering = padded[k + 2 * margin]!;
    pixels[i] = (Math.imul(inner, sum) + Math.imul(outer, padded[k]! + entering) + HALF) >>> 24;
    sum = (sum + entering - padded[k + 1]!) | 0;
  }
}
