/** Colour of what comes from outside the picture: ImageNet's mean in 8 bits, as timm fills. */
const FILL = [124, 116, 104] as const;

/** Where a pixel (x, y) of the result comes from: (a·x + b·y + c, d·x + e·y + f), pixels' centres at one half. */
export type AffineMatrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/**
 * Matrix of Pillow's `Image.rotate`: anticlockwise about the centre.
 * @param degrees less than 90 to either side
 */
export function rotationMatrix(degrees: number, width: number, height: number): AffineMatrix {
  // A remainder like Python's, in [0, 360).
  const turn = ((degrees % 360) + 360) % 360;
  const angle = -((degrees < 0 ? turn : degrees) * Math.PI) / 180;
  const [cos, sin] = [rounded(Math.cos(angle)), rounded(Math.sin(angle))];
  const [x, y] = [width / 2, height / 2];
  const [d, e] = [rounded(-Math.sin(angle)), cos];
  return [cos, sin, cos * -x + sin * -y + x, d, e, d * -x + e * -y + y];
}

/** To 15 decimals, as Python's `round`. */
function rounded(value: number): number {
  return Number(value.toFixed(15));
}

/** Moves an RGB picture of `width` pixels a row, in place; bicubic, with the arithmetic of Pillow's `Image.transform`. */
export function transformAffine(pixels: Uint8Array, width: number, [a, b, c, d, e, f]: AffineMatrix): void {
  const height = pixels.length / (3 * width);
  const source = pixels.slice();
  const column = (x: number) => 3 * Math.min(width - 1, Math.max(0, x));
  const row = (y: number) => 3 * width * Math.min(height - 1, Math.max(0, y));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const xIn = a * (x + 0.5) + b * (y + 0.5) + c;
      const yIn = d * (x + 0.5) + e * (y + 0.5) + f;
      if (!(xIn >= 0 && xIn < width && yIn >= 0 && yIn < height)) {
        pixels.set(FILL, at);
        continue;
      }
      const left = Math.floor(xIn - 0.5);
      const top = Math.floor(yIn - 0.5);
      const dx = xIn - 0.5 - left;
      const dy = yIn - 0.5 - top;
      // Beyond the rim its pixels go on.
      const c1 = column(left - 1);
      const c2 = column(left);
      const c3 = column(left + 1);
      const c4 = column(left + 2);
      const r1 = row(top - 1);
      const r2 = row(top);
      const r3 = row(top + 1);
      const r4 = row(top + 2);
      for (let channel = 0; channel < 3; channel++) {
        const result = cubic(
          alongRow(source, r1 + channel, c1, c2, c3, c4, dx),
          alongRow(source, r2 + channel, c1, c2, c3, c4, dx),
          alongRow(source, r3 + channel, c1, c2, c3, c4, dx),
          alongRow(source, r4 + channel, c1, c2, c3, c4, dx),
          dy,
        );
        pixels[at + channel] = result <= 0 ? 0 : result >= 255 ? 255 : Math.trunc(result);
      }
    }
  }
}

/** The cubic through four values of a row; plain numbers, as this runs for every pixel. */
function alongRow(source: Uint8Array, row: number, c1: number, c2: number, c3: number, c4: number, d: number): number {
  return cubic(source[row + c1]!, source[row + c2]!, source[row + c3]!, source[row + c4]!, d);
}

/** The cubic through four values (a = -1), `d` of the way from the second to the third. */
function cubic(v1: number, v2: number, v3: number, v4: number, d: number): number {
  return v2 + d * (-v1 + v3 + d * (2 * (v1 - v2) + v3 - v4 + d * (-v1 + v2 - v3 + v4)));
}
