/** Colours of 256 levels, red, green and blue of each, from low to high. */
export type ColourMap = Uint8Array;

type Triple = readonly [number, number, number];

const LEVELS = 256;
/** Points between which colours are interpolated along a straight line. */
const POINTS = 33;
const BLUE: Triple = [0.2298057, 0.298717966, 0.753683153];
const RED: Triple = [0.705673158, 0.01555616, 0.150232812];
/** Magnitude (Msh) of the white in the middle. */
const WHITE = 88;

const XYZ_OF_RGB = [
  [0.4124, 0.3576, 0.1805],
  [0.2126, 0.7152, 0.0722],
  [0.0193, 0.1192, 0.9505],
] as const;
/** D65. */
const WHITE_POINT = [0.9505, 1, 1.089] as const;

/**
 * `coolwarm`: blue below the middle, white, red above it. Computed as its author describes it (Moreland, Diverging Color
 * Maps for Scientific Visualization, 2009), in 33 points as ParaView and matplotlib have it; equal to matplotlib's table.
 */
export const coolwarm: ColourMap = mapThrough(Array.from({ length: POINTS }, (_, i) => divergingAt(i / (POINTS - 1))));

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
  const linear = rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const [x, y, z] = XYZ_OF_RGB.map((row, i) => {
    const value = row.reduce((sum, weight, c) => sum + weight * linear[c]!, 0) / WHITE_POINT[i]!;
    return value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116;
  }) as unknown as Triple;
  const [l, a, b] = [116 * y - 16, 500 * (x - y), 200 * (y - z)];
  const m = Math.hypot(l, a, b);
  return [m, Math.acos(l / m), Math.atan2(b, a)];
}

/** sRGB from 0 to 1; colours outside it are cut off. */
function rgbOfLab([l, a, b]: Triple): Triple {
  const y = (l + 16) / 116;
  const xyz = [a / 500 + y, y, y - b / 200].map((value, i) => {
    const cube = value ** 3;
    return (cube > 0.008856 ? cube : (value - 16 / 116) / 7.787) * WHITE_POINT[i]!;
  }) as unknown as Triple;
  return solve(XYZ_OF_RGB, xyz).map((c) => {
    const encoded = c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
    return Math.min(1, Math.max(0, encoded));
  }) as unknown as Triple;
}

/** x of the three equations rows·x = y (Cramer's rule). */
function solve(rows: readonly Triple[], y: Triple): Triple {
  const determinant = ([a, b, c]: readonly Triple[]) =>
    a![0] * (b![1] * c![2] - b![2] * c![1]) -
    a![1] * (b![0] * c![2] - b![2] * c![0]) +
    a![2] * (b![0] * c![1] - b![1] * c![0]);
  const replaced = (column: number) =>
    rows.map((row, i) => row.map((v, c) => (c === column ? y[i]! : v)) as unknown as Triple);
  return [0, 1, 2].map((column) => determinant(replaced(column)) / determinant(rows)) as unknown as Triple;
}
