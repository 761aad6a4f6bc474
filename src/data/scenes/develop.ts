import type { Canvas } from './canvas.js';
import type { Light } from './plan.js';

const steps = 4096;
const encoding = Float32Array.from({ length: steps + 1 }, (_, i) => {
  const value = i / steps;
  return 255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);
});

/** Turns linear light into 8-bit sRGB as a camera would: exposure, uneven light, soft focus, sensor noise. */
export function develop(canvas: Canvas, light: Light, seed: number): Uint8Array {
  const { size } = canvas;
  const encoded = new Float32Array(size * size * 3);
  const gain = expose(canvas);
  for (let row = 0, i = 0; row < size; row++) {
    const y = (row + 0.5) / size - 0.5;
    for (let column = 0; column < size; column++, i += 3) {
      const x = (column + 0.5) / size - 0.5;
      const bright = (1 + light.fall * 1.6 * (x * light.x + y * light.y)) * (1 - 0.35 * (x * x + y * y)) * gain;
      encoded[i] = encode(canvas.light[i]! * bright);
      encoded[i + 1] = encode(canvas.light[i + 1]! * bright);
      encoded[i + 2] = encode(canvas.light[i + 2]! * bright);
    }
  }
  return quantise(soften(encoded, size, light.blur), light.noise, seed);
}

/** What the light is multiplied by, so that the mean of the picture is a middle grey. */
function expose({ light }: Canvas): number {
  let sum = 0;
  for (let i = 0; i < light.length; i++) sum += light[i]!;
  return (steps * 0.31 * light.length) / sum;
}

function encode(value: number): number {
  return encoding[value >= steps ? steps : (value + 0.5) | 0]!;
}

/** Gives each pixel a part of its four neighbours; at the borders, of itself. */
function soften(image: Float32Array, size: number, part: number): Float32Array {
  const out = new Float32Array(image.length);
  const line = size * 3;
  const rest = 1 - 4 * part;
  for (let row = 0; row < size; row++) {
    const up = row > 0 ? -line : 0;
    const down = row < size - 1 ? line : 0;
    for (let column = 0, i = row * line; column < size; column++) {
      const left = column > 0 ? -3 : 0;
      const right = column < size - 1 ? 3 : 0;
      for (let channel = 0; channel < 3; channel++, i++) {
        out[i] = image[i]! * rest + (image[i + up]! + image[i + down]! + image[i + left]! + image[i + right]!) * part;
      }
    }
  }
  return out;
}

function quantise(image: Float32Array, noise: number, seed: number): Uint8Array {
  const bytes = new Uint8ClampedArray(image.length);
  let state = seed | 1;
  for (let i = 0; i < image.length; i++) {
    // Marsaglia's xorshift: its two halves are uniform, their sum has deviation 2^16 / sqrt(6).
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const grain = ((state & 0xffff) + (state >>> 16) - 0xffff) / 26754;
    bytes[i] = image[i]! + noise * grain;
  }
  return new Uint8Array(bytes.buffer);
}
