import type { Raster } from '../data/resample.js';

/** Part of a picture in pixels. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Three bytes. */
export type Colour = readonly [red: number, green: number, blue: number];

/** A copy of a picture with a part framed in a colour between white and black, so that the frame shows on anything. */
export function framed(picture: Raster, part: Rectangle, colour: Colour): Raster {
  const around = (pixels: number): Rectangle => ({
    left: part.left - pixels,
    top: part.top - pixels,
    width: part.width + 2 * pixels,
    height: part.height + 2 * pixels,
  });
  return outlined(
    outlined(outlined(picture, around(1), [255, 255, 255], 1), around(5), colour, 5),
    around(6),
    [0, 0, 0],
    1,
  );
}

/** A colour for SVG. */
export function cssColour(colour: Colour): string {
  return `rgb(${colour.join(',')})`;
}

/** A copy of a picture with a frame along a rectangle, inside it; beyond the edge of the picture the frame runs along it. */
export function outlined(picture: Raster, rectangle: Rectangle, colour: Colour, thickness: number): Raster {
  const data = picture.data.slice();
  const [left, top] = [Math.max(0, rectangle.left), Math.max(0, rectangle.top)];
  const right = Math.min(picture.width, rectangle.left + rectangle.width) - 1;
  const bottom = Math.min(picture.height, rectangle.top + rectangle.height) - 1;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const depth = Math.min(x - left, y - top, right - x, bottom - y);
      if (depth < thickness) data.set(colour, (y * picture.width + x) * 3);
    }
  }
  return { ...picture, data };
}
