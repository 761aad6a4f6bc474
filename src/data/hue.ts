/** A byte as a share of 255, in single precision. */
const SHARE = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);
/** Sixth of the colour circle that a hue byte lies in, 0 to 6. */
const SECTOR = Uint8Array.from({ length: 256 }, (_, hue) => Math.floor((hue * 6) / 255));
/** How far into its sixth a hue byte lies, in single precision. */
const WITHIN = Float32Array.from({ length: 256 }, (_, hue) => (hue * 6) / 255 - SECTOR[hue]!);

/**
 * Turns the hue of an RGB picture by `shift` of the circle, in place: Pillow's conversion to HSV in bytes, the hue byte moved
 * by 255 x `shift` (rounded towards zero) modulo 256, and back. The two conversions alone change pixels a little, so a shift
 * of 0 is not the identity.
 */
export function shiftHue(pixels: Uint8Array, shift: number): void {
  const step = Math.trunc(shift * 255);
  for (let i = 0; i < pixels.length; i += 3) {
    const red = pixels[i]!;
    const green = pixels[i + 1]!;
    const blue = pixels[i + 2]!;
    const value = Math.max(red, green, blue);
    const range = value - Math.min(red, green, blue);
    // Without a colour there is nothing to turn.
    if (range === 0) continue;
    const hue = (hueByte(red, green, blue, value, range) + step) & 255;
    const saturation = Math.trunc(Math.fround(range / value) * 255);
    paint(pixels, i, hue, saturation, value);
  }
}

/** Hue of a colour that is not grey, 0 to 255. Quotients and their sum are in single precision, as in Pillow. */
function hueByte(red: number, green: number, blue: number, value: number, range: number): number {
  const r = Math.fround((value - red) / range);
  const g = Math.fround((value - green) / range);
  const b = Math.fround((value - blue) / range);
  const sixths = Math.fround(red === value ? b - g : green === value ? 2 + r - b : 4 + g - r);
  return Math.trunc(Math.fround((sixths / 6 + 1) % 1) * 255);
}

/** Writes a colour given by hue, saturation and value at `pixels[at]`. */
function paint(pixels: Uint8Array, at: number, hue: number, saturation: number, value: number): void {
  const share = SHARE[saturation]!;
  const within = WITHIN[hue]!;
  const low = Math.round(value * (1 - share));
  const falling = Math.round(value * (1 - share * within));
  const rising = Math.round(value * (1 - share * (1 - within)));
  switch (SECTOR[hue]! % 6) {
    case 0:
      put(pixels, at, value, rising, low);
      break;
    case 1:
      put(pixels, at, falling, value, low);
      break;
    case 2:
      put(pixels, at, low, value, rising);
      break;
    case 3:
      put(pixels, at, low, falling, value);
      break;
    case 4:
      put(pixels, at, rising, low, value);
      break;
    default:
      put(pixels, at, value, low, falling);
  }
}

function put(pixels: Uint8Array, at: number, red: number, green: number, blue: number): void {
  pixels[at] = red;
  pixels[at + 1] = green;
  pixels[at + 2] = blue;
}
