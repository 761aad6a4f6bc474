import type { Random } from '../../support/random.js';

/** Two colours that a texture mixes: linear red, green, blue of the first, then of the second, each in [0, 1]. */
export type ColourPair = readonly number[];

/**
 * A light and a dark colour of about the same hue.
 *
 * @param hue in turns
 */
export function drawPair(random: Random, hue: number): ColourPair {
  const contrast = random.uniform(0.15, 0.21);
  const light = oklch(0.61 + contrast, random.uniform(0.05, 0.12), 2 * Math.PI * hue);
  const dark = oklch(0.61 - contrast, random.uniform(0.05, 0.12), 2 * Math.PI * (hue + 0.08 * random.normal()));
  return [...light, ...dark];
}

/** OKLCH to linear sRGB, clipped to the gamut (Ottosson, "A perceptual color space for image processing"). */
function oklch(lightness: number, chroma: number, hue: number): number[] {
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((value) => Math.min(1, Math.max(0, value)));
}

/** The hues of a class, in turns: three of thirteen. Any two classes share at most one (a Steiner system). */
export function huesOf(pixelClass: number): number[] {
  const shift = pixelClass >> 1;
  const block = pixelClass & 1 ? [0, 2, 7] : [0, 1, 4];
  return block.map((place) => ((place + shift) % 13) / 13);
}
