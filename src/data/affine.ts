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
  const columns = new Int32Array(4);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const [xIn, yIn] = [a * (x + 0.5) + b * (y + 0.5) + c, d * (x + 0.5) + e * (y + 0.5) + f];
      if (!(xIn >= 0 && xIn < width && yIn >= 0 && yIn < height)) {
        pixels.set(FILL, at);
        continue;
      }
      const [left, top] = [Math.floor(xIn - 0.5), Math.floor(yIn - 0.5)];
      const [dx, dy] = [xIn - 0.5 - left, yIn - 0.5 - top];
      for (let i = 0; i < 4; i++) columns[i] = 3 * Math.min(width - 1, Math.max(0, left - 1 + i));
      for (let channel = 0; channel < 3; channel++) {
        const row = (line: number) => {
          const start = line * width * 3 + channel;
          const value = (i: number) => source[start + columns[i]!]!;
          return cubic(value(0), value(1), value(2), value(3), dx);
        };
        // Above, the first row goes on; below, the last one that there is.
        const first = row(Math.min(height - 1, Math.max(0, top - 1)));
        const inside = (line: number) => line >= 0 && line < height;
        const second = inside(top) ? row(top) : first;
        const third = inside(top + 1) ? row(top + 1) : second;
        const fourth = inside(top + 2) ? row(top + 2) : third;
        const result = cubic(first, second, third, fourth, dy);
        pixels[at + channel] = result <= 0 ? 0 : result >= 255 ? 255 : Math.trunc(result);
      }
    }
  }
}

/** The cubic through four values (a = -1), `d` of the way from the second to the third. */
function cubic(v1: number, v2: number, v3: number, v4: number, d: number): number {
  return v2 + d * (-v1 + v3 + d * (2 * (v1 - v2) + v3 - v4 + d * (-v1 + v2 - v3 + v4)));
}
