import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Raster } from '../../../src/data/resample.js';
import { drawNeighbourSheet, type NeighbourRow } from '../../../src/visualise/neighbour-sheet.js';

function grey(level: number): Raster {
  return { data: new Uint8Array(16 * 16 * 3).fill(level), width: 16, height: 16 };
}

function row(agrees: readonly (boolean | undefined)[]): NeighbourRow {
  const neighbours = agrees.map((each, i) => ({
    picture: grey(100 + i),
    caption: `class ${i}`,
    cosine: 0.9,
    agrees: each,
  }));
  return { picture: grey(90), caption: 'query', neighbours };
}

/** How many pixels have exactly this colour. */
async function count(png: Buffer, colour: readonly number[]): Promise<number> {
  const data = await sharp(png).removeAlpha().raw().toBuffer();
  let found = 0;
  for (let at = 0; at < data.length; at += 3)
    if (colour.every((value, channel) => data[at + channel] === value)) found++;
  return found;
}

const green = [0, 158, 115];
const red = [213, 94, 0];
// Three pictures beside each other are 485 pixels large, their frames six pixels wide.
const frame = 485 ** 2 - 473 ** 2;

describe('the sheet of neighbours', () => {
  it('frames neighbours by whether they have the class, and is the same every time', async () => {
    const png = await drawNeighbourSheet([row([true, false]), row([false, false])], 'Test');
    // The keys have a square of each colour, too.
    for (const [colour, frames] of [
      [green, 1],
      [red, 3],
    ] as const)
      expect(Math.abs((await count(png, colour)) - frames * frame)).toBeLessThan(200);
    expect(png.equals(await drawNeighbourSheet([row([true, false]), row([false, false])], 'Test'))).toBe(true);
  });

  it('frames nothing where classes are not known', async () => {
    const png = await drawNeighbourSheet([row([undefined, undefined])], 'Test');
    expect([await count(png, green), await count(png, red)]).toEqual([0, 0]);
  });
});
