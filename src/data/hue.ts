/** A byte as a share of 255, in single precision. */
const SHARE = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);
/** Sixth of the colour circle that a hue byte lies in, 0 to 5; the last byte, a whole turn, counts as the first. */
const SIXTH = Uint8Array.from({ length: 256 }, (_, hue) => Math.floor((hue * 6) / 255) % 6);
/** How much of its colour the middle one of three channels lacks, by hue byte; single precision within the sixth. */
const LACK = Float64Array.from({ length: 256 }, (_, hue) => {
  const sixth = Math.floor((hue * 6) / 255);
  const within = Math.fround((hue * 6) / 255 - sixth);
  return sixth % 2 === 0 ? 1 - within : within;
});

/** Hue bytes by sixth of the circle, range of the channels, and greatest less middle channel; see `hueTable`. */
let hues: Uint8Array | undefined;

/**
 * Turns the hue of an RGB picture by `shift` of the circle, in place: Pillow's conversion to HSV in bytes, the hue byte moved
 * by 255 x `shift` (rounded towards zero) modulo 256, and back. The two conversions alone change pixels a little, so a shift
 * of 0 is not the identity.
 */
export function shiftHue(pixels: Uint8Array, shift: number): void {
  hues ??= hueTable();
  const table = hues;
  const step = Math.trunc(shift * 255);
  for (let i = 0; i < pixels.length; i += 3) {
    const red = pixels[i]!;
    const green = pixels[i + 1]!;
    const blue = pixels[i + 2]!;
    const value = Math.max(red, green, blue);
    const least = Math.min(red, green, blue);
    const range = value - least;
    // Without a colour there is nothing to turn.
    if (range === 0) continue;
    let sixth: number;
    if (red === value) sixth = green >= blue ? 0 : 5;
    else if (green === value) sixth = red > blue ? 1 : 2;
    else sixth = green > red ? 3 : 4;
    const middle = red + green + blue - value - least;
    const hue = (table[(sixth << 16) | (range << 8) | (value - middle)]! + step) & 255;
    paint(pixels, i, hue, value, Math.trunc(Math.fround(range / value) * 255));
  }
}

/** Pillow's hue of every colour, 0 to 255, with quotient and sum in single precision. */
function hueTable(): Uint8Array {
  const table = new Uint8Array(6 << 16);
  for (let sixth = 0; sixth < 6; sixth++) {
    // From the nearest pure colour (red 0, green 2, blue 4 sixths) up in the even sixths, down in the odd ones.
    const pure = 2 * (Math.ceil(sixth / 2) % 3);
    for (let range = 1; range < 256; range++) {
      for (let lack = 0; lack <= range; lack++) {
        const quotient = Math.fround(lack / range);
        const sixths = Math.fround(sixth % 2 === 0 ? pure + 1 - quotient : pure + quotient - 1);
        table[(sixth << 16) | (range << 8) | lack] = Math.trunc(Math.fround((sixths / 6 + 1) % 1) * 255);
      }
    }
  }
  return table;
}

/** Writes a colour given by hue, value and saturation at `pixels[at]`. */
function paint(pixels: Uint8Array, at: number, hue: number, value: number, saturation: number): void {
  const share = SHARE[saturation]!;
  const low = (value * (1 - share) + 0.5) | 0;
  const middle = (value * (1 - share * LACK[hue]!) + 0.5) | 0;
  const sixth = SIXTH[hue]!;
  pixels[at] = sixth === 0 || sixth === 5 ? value : sixth === 1 || sixth === 4 ? middle : low;
  pixels[at + 1] = sixth === 1 || sixth === 2 ? value : sixth === 0 || sixth === 3 ? middle : low;
  pixels[at + 2] = sixth === 3 || sixth === 4 ? value : sixth === 2 || sixth === 5 ? middle : low;
}
