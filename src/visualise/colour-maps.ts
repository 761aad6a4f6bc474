import { labOfRgb, rgbOfLab, type Triple } from './cie-lab.js';

/** Colours of 256 levels, red, green and blue of each, from low to high. */
export type ColourMap = Uint8Array;

const LEVELS = 256;
/** Points between which colours are interpolated along a straight line. */
const POINTS = 33;
const BLUE: Triple = [0.2298057, 0.298717966, 0.753683153];
const RED: Triple = [0.705673158, 0.01555616, 0.150232812];
/** Magnitude (Msh) of the white in the middle. */
const WHITE = 88;

/**
 * `coolwarm`: blue below the middle, white, red above it. Computed as its author describes it (Moreland, Diverging Color
 * Maps for Scientific Visualization, 2009), in 33 points as ParaView and matplotlib have it; equal to matplotlib's table.
 */
export const coolwarm: ColourMap = mapThrough(Array.from({ length: POINTS }, (_, i) => divergingAt(i / (POINTS - 1))));

/** `viridis`, from dark blue to yellow, even to the eye: for shares and similarities. Close to matplotlib's table. */
export const viridis: ColourMap = mapThrough(
  hexColours(
    '440154 471365 482475 463480 414487 3b528b 355f8d 2f6c8e 2a788e 25848e 21918c 1e9c89 22a884 2fb47c 44bf70 5ec962 7ad151 9bd93c bddf26 dfe318 fde725',
  ),
);

/** `Blues` of ColorBrewer, from white to dark blue: for shares on white. */
export const blues: ColourMap = mapThrough(
  hexColours('f7fbff deebf7 c6dbef 9ecae1 6baed6 4292c6 2171b5 08519c 08306b'),
);

/** Colours as `rrggbb`, separated by spaces, from 0 to 1. */
export function hexColours(text: string): Triple[] {
  return text.split(' ').map((hex) => {
    const [red, green, blue] = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
    return [red!, green!, blue!];
  });
}

/**
 * Values as colours, three bytes each: level floor(256·(x - low)/(high - low)), as matplotlib looks colours up. What is not
 * finite counts as low.
 */
export function mapColours(
  values: ArrayLike<number>,
  map: ColourMap,
  [low, high]: readonly [number, number],
): Uint8Array {
  const colours = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) {
    const level = Math.floor((LEVELS * (values[i]! - low)) / (high - low));
    const row = 3 * Math.min(LEVELS - 1, Math.max(0, Number.isNaN(level) ? 0 : level));
    colours.set(map.subarray(row, row + 3), i * 3);
  }
  return colours;
}

/** 256 levels along straight lines between evenly spaced colours; bytes are truncated, as matplotlib's are here. */
function mapThrough(points: readonly Triple[]): ColourMap {
  const map = new Uint8Array(LEVELS * 3);
  for (let level = 0; level < LEVELS; level++) {
    const at = (level / (LEVELS - 1)) * (points.length - 1);
    const before = Math.min(Math.floor(at), points.length - 2);
    const [a, b] = [points[before]!, points[before + 1]!];
    for (let c = 0; c < 3; c++) map[level * 3 + c] = Math.trunc((a[c]! + (b[c]! - a[c]!) * (at - before)) * 255);
  }
  return map;
}

/** The colour at a share of the way from blue over white to red, interpolated in Msh (magnitude, saturation, hue). */
function divergingAt(share: number): Triple {
  const white = (end: Triple): Triple => [WHITE, 0, adjustedHue(end)];
  const [blue, red] = [mshOfRgb(BLUE), mshOfRgb(RED)];
  const [from, to, t] = share < 0.5 ? [blue, white(blue), 2 * share] : [white(red), red, 2 * share - 1];
  const [m, s, h] = from.map((value, i) => (1 - t) * value + t * to[i]!) as unknown as Triple;
  return rgbOfLab([m * Math.cos(s), m * Math.sin(s) * Math.cos(h), m * Math.sin(s) * Math.sin(h)]);
}

/** The hue that white gets beside a colour, so that the way to it turns evenly. */
function adjustedHue([m, s, h]: Triple): number {
  const spin = (s * Math.sqrt(WHITE ** 2 - m ** 2)) / (m * Math.sin(s));
  return h > -Math.PI / 3 ? h + spin : h - spin;
}

function mshOfRgb(rgb: Triple): Triple {
  const [l, a, b] = labOfRgb(rgb);
  const m = Math.hypot(l, a, b);
  return [m, Math.acos(l / m), Math.atan2(b, a)];
}
