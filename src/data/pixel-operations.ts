import { rotationMatrix, transformAffine } from './affine.js';
import { blur } from './blur.js';
import { autocontrastTables, equalizeTables } from './histogram-tables.js';
import { shiftHue } from './hue.js';

/**
 * A change of colours or sharpness of an 8-bit RGB picture, with the arithmetic of Pillow, bit for bit.
 *
 * `factor` 1 changes nothing; 0 gives black (brightness), the mean grey (contrast), a grey picture (saturation). `shift`
 * is a part of the colour circle, -0.5 to 0.5. `sigma` is in pixels. `solarize` inverts values from `threshold` on;
 * `solarize-add` adds to those below 128. `posterize` keeps the upper bits. Rotation is `by` degrees, shearing by pixels a
 * pixel, translation by a share of the side; what comes from outside is filled.
 */
export type PixelOperation =
  | { kind: 'brightness' | 'contrast' | 'saturation' | 'sharpness'; factor: number }
  | { kind: 'hue'; shift: number }
  | { kind: 'blur'; sigma: number }
  | { kind: 'greyscale' }
  | { kind: 'solarize'; threshold: number }
  | { kind: 'solarize-add'; add: number }
  | { kind: 'posterize'; bits: number }
  | { kind: 'autocontrast' | 'equalize' }
  | { kind: Motion; by: number };

type Motion = 'rotate' | 'shear-x' | 'shear-y' | 'translate-x' | 'translate-y';

/** Applies `operation` to a picture of `width` pixels a row, (height, width, 3), in place. */
export function applyPixelOperation(pixels: Uint8Array, width: number, operation: PixelOperation): void {
  const { kind } = operation;
  if (kind === 'brightness') mapValues(pixels, awayFrom(0, operation.factor));
  else if (kind === 'contrast') mapValues(pixels, awayFrom(Math.trunc(meanLuma(pixels) + 0.5), operation.factor));
  else if (kind === 'saturation') saturate(pixels, operation.factor);
  else if (kind === 'hue') shiftHue(pixels, operation.shift);
  else if (kind === 'blur') blur(pixels, width, operation.sigma);
  else if (kind === 'greyscale') greyscale(pixels);
  else if (kind === 'solarize') mapValues(pixels, (value) => (value < operation.threshold ? value : 255 - value));
  else if (kind === 'solarize-add') mapValues(pixels, (value) => (value < 128 ? value + operation.add : value));
  else if (kind === 'posterize') mapValues(pixels, (value) => value & (-1 << (8 - operation.bits)));
  else if (kind === 'autocontrast') mapChannels(pixels, autocontrastTables(pixels));
  else if (kind === 'equalize') mapChannels(pixels, equalizeTables(pixels));
  else if ('by' in operation) move(pixels, width, operation.kind, operation.by);
  else if (kind === 'sharpness') sharpen(pixels, width, operation.factor);
}

function move(pixels: Uint8Array, width: number, kind: Motion, by: number): void {
  const height = pixels.length / (3 * width);
  if (kind === 'rotate' && by === 0) return;
  if (kind === 'rotate') transformAffine(pixels, width, rotationMatrix(by, width, height));
  else if (kind === 'shear-x') transformAffine(pixels, width, [1, by, 0, 0, 1, 0]);
  else if (kind === 'shear-y') transformAffine(pixels, width, [1, 0, 0, by, 1, 0]);
  else if (kind === 'translate-x') transformAffine(pixels, width, [1, 0, by * width, 0, 1, 0]);
  else transformAffine(pixels, width, [1, 0, 0, 0, 1, by * height]);
}

function mapChannels(pixels: Uint8Array, tables: Uint8Array): void {
  for (let i = 0; i < pixels.length; i++) pixels[i] = tables[(i % 3) * 256 + pixels[i]!]!;
}

/** Away from a smoothed picture, whose pixels are (their neighbourhood's sum + 4 times themselves) / 13; the rim stays. */
function sharpen(pixels: Uint8Array, width: number, factor: number): void {
  const single = Math.fround(factor);
  const source = pixels.slice();
  const row = 3 * width;
  const ofThree = (at: number) => source[at - 3]! + source[at]! + source[at + 3]!;
  for (let start = row; start < pixels.length - row; start += row) {
    for (let at = start + 3; at < start + row - 3; at++) {
      const sum = 4 * source[at]! + ofThree(at - row) + ofThree(at) + ofThree(at + row);
      pixels[at] = blend(Math.floor((2 * sum + 13) / 26), source[at]!, single);
    }
  }
}

/** Results above 255 become 255. */
function mapValues(pixels: Uint8Array, become: (value: number) => number): void {
  const table = Uint8Array.from({ length: 256 }, (_, value) => Math.min(255, become(value)));
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[pixels[i]!]!;
}

/** What a value becomes when it is moved away from `base` by `factor`. */
function awayFrom(base: number, factor: number): (value: number) => number {
  const single = Math.fround(factor);
  return (value) => blend(base, value, single);
}

/** Single precision, also `factor`, rounded towards zero. */
function blend(base: number, value: number, factor: number): number {
  const moved = Math.fround(base + Math.fround(factor * (value - base)));
  return moved <= 0 ? 0 : moved >= 255 ? 255 : Math.trunc(moved);
}

function meanLuma(pixels: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < pixels.length; i += 3) sum += luma(pixels[i]!, pixels[i + 1]!, pixels[i + 2]!);
  return sum / (pixels.length / 3);
}

function saturate(pixels: Uint8Array, factor: number): void {
  const single = Math.fround(factor);
  for (let i = 0; i < pixels.length; i += 3) {
    const grey = luma(pixels[i]!, pixels[i + 1]!, pixels[i + 2]!);
    pixels[i] = blend(grey, pixels[i]!, single);
    pixels[i + 1] = blend(grey, pixels[i + 1]!, single);
    pixels[i + 2] = blend(grey, pixels[i + 2]!, single);
  }
}

function greyscale(pixels: Uint8Array): void {
  for (let i = 0; i < pixels.length; i += 3) {
    const grey = luma(pixels[i]!, pixels[i + 1]!, pixels[i + 2]!);
    pixels[i] = grey;
    pixels[i + 1] = grey;
    pixels[i + 2] = grey;
  }
}

/** Brightness of a colour as Pillow's `convert('L')` has it (ITU-R 601-2, 16-bit fixed point), 0 to 255. */
function luma(red: number, green: number, blue: number): number {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}
