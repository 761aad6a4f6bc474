/**
 * Image resizing with the arithmetic of Pillow, bit for bit (`ImagingResample`, Pillow <= 12.3), because the published
 * methods and their evaluations were made with it: bicubic with a = -0.5, support widened when shrinking, 8-bit result of
 * the horizontal pass, then the vertical pass, 22-bit fixed-point weights.
 */

/** Part of an image in pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** 8-bit pixels row by row: three interleaved channels of an image, or one of a map of ids. */
export interface Raster {
  data: Uint8Array;
  width: number;
  height: number;
}

/**
 * How a view is cut: `box` of the source is resized to `width` x `height`, of which `window` is kept, and mirrored left to
 * right when `flip` is set. Pixels outside `box` have no influence.
 */
export interface Geometry {
  box: Box;
  width: number;
  height: number;
  window: Box;
  flip: boolean;
}

/** Fixed-point weights of one axis: output `i` sums `taps[i]` source pixels from `first[i]`, weights at `i * stride`. */
interface Kernel {
  first: Int32Array;
  taps: Int32Array;
  weights: Int32Array;
  stride: number;
}

const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

/** Weights for outputs [from, from + count) of an axis that goes from `source` to `target` pixels. */
function kernel(source: number, target: number, from: number, count: number): Kernel {
  const scale = source / target;
  const stretch = Math.max(scale, 1);
  const support = 2 * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(count);
  const taps = new Int32Array(count);
  const weights = new Int32Array(count * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < count; i++) {
    const centre = (from + i + 0.5) * scale;
    const low = Math.max(Math.trunc(centre - support + 0.5), 0);
    const size = Math.min(Math.trunc(centre + support + 0.5), source) - low;
    let sum = 0;
    for (let j = 0; j < size; j++) sum += exact[j] = cubic((low + j - centre + 0.5) * (1 / stretch));
    for (let j = 0; j < size; j++) {
      const weight = (sum === 0 ? exact[j]! : exact[j]! / sum) * (1 << PRECISION);
      weights[i * stride + j] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = low;
    taps[i] = size;
  }
  return { first, taps, weights, stride };
}

/** Cuts `geometry` out of an RGB image, bicubic, into `output` (window height x window width x 3). */
export function resampleRgb(image: Raster, geometry: Geometry, output: Uint8Array): void {
  const { box, window } = geometry;
  const vertical = kernel(box.height, geometry.height, window.top, window.height);
  const last = window.height - 1;
  const firstRow = vertical.first[0]!;
  const rows = vertical.first[last]! + vertical.taps[last]! - firstRow;
  const narrow = horizontalPass(image, geometry, firstRow, rows);
  const clamped = new Uint8ClampedArray(output.buffer, output.byteOffset, output.length);
  verticalPass(narrow, window.width * 3, vertical, clamped);
  if (geometry.flip) mirror(output, window.width, 3);
}

/** Rows [firstRow, firstRow + rows) of the box, brought to the window's width. */
function horizontalPass(image: Raster, geometry: Geometry, firstRow: number, rows: number): Uint8ClampedArray {
  const { box, window } = geometry;
  const source = image.data;
  const result = new Uint8ClampedArray(rows * window.width * 3);
  const { first, taps, weights, stride } = kernel(box.width, geometry.width, window.left, window.width);
  for (let y = 0; y < rows; y++) {
    const row = ((box.top + firstRow + y) * image.width + box.left) * 3;
    let out = y * window.width * 3;
    for (let x = 0; x < window.width; x++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let at = row + first[x]! * 3;
      const start = x * stride;
      const end = start + taps[x]!;
      for (let k = start; k < end; k++) {
        const weight = weights[k]!;
        red = (red + Math.imul(weight, source[at]!)) | 0;
        green = (green + Math.imul(weight, source[at + 1]!)) | 0;
        blue = (blue + Math.imul(weight, source[at + 2]!)) | 0;
        at += 3;
      }
      result[out++] = red >> PRECISION;
      result[out++] = green >> PRECISION;
      result[out++] = blue >> PRECISION;
    }
  }
  return result;
}

function verticalPass(
  narrow: Uint8ClampedArray,
  rowBytes: number,
  { first, taps, weights, stride }: Kernel,
  output: Uint8ClampedArray,
): void {
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < first.length; y++) {
    sums.fill(HALF);
    let row = (first[y]! - first[0]!) * rowBytes;
    let k = y * stride;
    const end = k + taps[y]!;
    // Four rows at once, which is all of them when the picture grows: sums are read and written less often.
    for (; k + 4 <= end; k += 4, row += 4 * rowBytes) addRows(narrow, row, rowBytes, weights, k, sums);
    for (; k < end; k++, row += rowBytes) {
      const weight = weights[k]!;
      for (let x = 0; x < rowBytes; x++) sums[x] = (sums[x]! + Math.imul(weight, narrow[row + x]!)) | 0;
    }
    const out = y * rowBytes;
    for (let x = 0; x < rowBytes; x++) output[out + x] = sums[x]! >> PRECISION;
  }
}

/** Adds four rows from `row` on, with the weights from `k` on, to `sums`. */
function addRows(
  narrow: Uint8ClampedArray,
  row: number,
  rowBytes: number,
  weights: Int32Array,
  k: number,
  sums: Int32Array,
): void {
  const [a, b, c, d] = [weights[k]!, weights[k + 1]!, weights[k + 2]!, weights[k + 3]!];
  const [second, third, fourth] = [row + rowBytes, row + 2 * rowBytes, row + 3 * rowBytes];
  for (let x = 0; x < rowBytes; x++) {
    const left = (Math.imul(a, narrow[row + x]!) + Math.imul(b, narrow[second + x]!)) | 0;
    const right = (Math.imul(c, narrow[third + x]!) + Math.imul(d, narrow[fourth + x]!)) | 0;
    sums[x] = (((sums[x]! + left) | 0) + right) | 0;
  }
}

/**
 * Cuts `geometry` out of a map of ids, nearest neighbour as Pillow's NEAREST (the pixel under the centre of each output
 * pixel), into `output` (window height x window width).
 */
export function resampleNearest(map: Raster, geometry: Geometry, output: Uint8Array): void {
  const { box, window } = geometry;
  const columns = nearest(box.width, geometry.width, window.left, window.width);
  const rows = nearest(box.height, geometry.height, window.top, window.height);
  for (let y = 0; y < window.height; y++) {
    const start = (box.top + rows[y]!) * map.width + box.left;
    for (let x = 0; x < window.width; x++) output[y * window.width + x] = map.data[start + columns[x]!]!;
  }
  if (geometry.flip) mirror(output, window.width, 1);
}

/** Source pixels of outputs [from, from + count); adds up steps as Pillow does, whose rounding decides on ties. */
function nearest(source: number, target: number, from: number, count: number): Int32Array {
  const step = source / target;
  const places = new Int32Array(count);
  let at = step * 0.5;
  for (let i = 0; i < from + count; i++) {
    if (i >= from) places[i - from] = Math.min(Math.trunc(at), source - 1);
    at += step;
  }
  return places;
}

/** Mirrors every row left to right, in place. */
function mirror(pixels: Uint8Array, width: number, channels: number): void {
  for (let row = 0; row < pixels.length; row += width * channels) {
    for (let x = 0; x < width >> 1; x++) {
      const left = row + x * channels;
      const right = row + (width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) {
        const held = pixels[left + c]!;
        pixels[left + c] = pixels[right + c]!;
        pixels[right + c] = held;
      }
    }
  }
}
