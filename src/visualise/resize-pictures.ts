import { type Geometry, type Raster, resampleNearest, resampleRgb } from '../data/resample.js';

/** Width of a sheet in pixels, about; more pictures beside each other are smaller, within these bounds. */
const SHEET_WIDTH = 1480;
const [SMALLEST, LARGEST] = [180, 720];

/**
 * The side at which pictures are shown on a sheet with `count` of them beside each other: about what fits, as a multiple
 * of `unit`, the pixels or patches of a side, so that each is equally large.
 */
export function shownSide(unit: number, count: number): number {
  const fits = Math.min(LARGEST, Math.max(SMALLEST, SHEET_WIDTH / Math.max(1, count) - 8));
  return unit * Math.max(1, Math.round(fits / unit));
}

/** A picture as a square of `side` pixels, bicubic. */
export function enlargeSmoothly(picture: Raster, side: number): Raster {
  const data = new Uint8Array(side * side * 3);
  resampleRgb(picture, toSquare(picture, side), data);
  return { data, width: side, height: side };
}

/** A picture as a square of `side` pixels, each in the colour of the nearest pixel: one per patch stays one per patch. */
export function enlargeEvenly(picture: Raster, side: number): Raster {
  const { width, height } = picture;
  const data = new Uint8Array(side * side * 3);
  for (let channel = 0; channel < 3; channel++) {
    const plane = { data: picture.data.filter((_, i) => i % 3 === channel), width, height };
    const large = new Uint8Array(side * side);
    resampleNearest(plane, toSquare(picture, side), large);
    large.forEach((value, pixel) => {
      data[pixel * 3 + channel] = value;
    });
  }
  return { data, width: side, height: side };
}

function toSquare({ width, height }: Raster, side: number): Geometry {
  const box = { left: 0, top: 0, width, height };
  return { box, width: side, height: side, window: { left: 0, top: 0, width: side, height: side }, flip: false };
}
