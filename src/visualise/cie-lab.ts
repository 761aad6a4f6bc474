/** Three numbers of a colour space. */
export type Triple = readonly [number, number, number];

const XYZ_OF_RGB = [
  [0.4124, 0.3576, 0.1805],
  [0.2126, 0.7152, 0.0722],
  [0.0193, 0.1192, 0.9505],
] as const;
/** D65. */
const WHITE_POINT = [0.9505, 1, 1.089] as const;

/** CIE L*a*b* of sRGB from 0 to 1. */
export function labOfRgb(rgb: Triple): Triple {
  const linear = rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const [x, y, z] = XYZ_OF_RGB.map((row, i) => {
    const value = row.reduce((sum, weight, c) => sum + weight * linear[c]!, 0) / WHITE_POINT[i]!;
    return value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116;
  }) as unknown as Triple;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** sRGB from 0 to 1 of CIE L*a*b*; colours that a screen cannot show are cut off. */
export function rgbOfLab([l, a, b]: Triple): Triple {
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
