import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { drawSheet } from '../../../src/visualise/picture-sheet.js';
import { enlargeEvenly, enlargeSmoothly, shownSide } from '../../../src/visualise/resize-pictures.js';

const plain = (side: number, colour: readonly [number, number, number]) => ({
  data: Uint8Array.from({ length: side * side * 3 }, (_, i) => colour[i % 3]!),
  width: side,
  height: side,
});
const [red, blue] = [plain(100, [250, 0, 0]), plain(100, [0, 0, 250])];

async function pixelsOf(png: Buffer) {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const count = (colour: readonly number[]) => {
    let found = 0;
    for (let i = 0; i < data.length; i += info.channels) {
      if (colour.every((level, channel) => data[i + channel] === level)) found++;
    }
    return found;
  };
  return { count, width: info.width, height: info.height };
}

describe('a sheet', () => {
  it('holds every cell whole', async () => {
    const rows = [
      { label: 'first', cells: [red, blue] },
      { label: 'second', cells: [blue, blue] },
    ];
    const { count } = await pixelsOf(await drawSheet({ blocks: [{ rows, captions: ['a', 'b'] }] }));
    expect(count([250, 0, 0])).toBe(100 * 100);
    expect(count([0, 0, 250])).toBe(3 * 100 * 100);
  });

  it('begins anew below after eight columns', async () => {
    const sheet = async (columns: number) => {
      const cells = Array.from({ length: columns }, () => red);
      return pixelsOf(await drawSheet({ blocks: [{ rows: [{ label: 'x', cells }], captions: cells.map(() => 'c') }] }));
    };
    const [eight, nine] = [await sheet(8), await sheet(9)];
    expect(nine.width).toBe(eight.width);
    expect(nine.height).toBeGreaterThan(eight.height + 100);
    expect(nine.count([250, 0, 0])).toBe(9 * 100 * 100);
  });

  it('draws text with the font that comes with Tessera, whatever the text holds', async () => {
    const draw = (label: string) => drawSheet({ blocks: [{ rows: [{ label, cells: [red] }], captions: ['c'] }] });
    const ink = ({ count, width, height }: Awaited<ReturnType<typeof pixelsOf>>) =>
      width * height - count([255, 255, 255]) - count([250, 0, 0]);
    const text = await pixelsOf(await draw('</text><rect width="9" height="9" fill="#0f0"/>&"\u0000'));
    expect(text.count([0, 255, 0])).toBe(0);
    expect(ink(text)).toBeGreaterThan(ink(await pixelsOf(await draw(''))) + 300);
  });

  it('has headings, sentences and keys above the pictures, with room for all', async () => {
    const blocks = [{ rows: [{ label: 'row', cells: [red] }], captions: ['c'] }];
    const bare = await pixelsOf(await drawSheet({ blocks }));
    const keys = Array.from({ length: 12 }, (_, i) => ({ colour: '#00fa00', label: `key number ${i}` }));
    const note = 'A sentence that tells how this is to be read. '.repeat(4).trim();
    const full = await pixelsOf(await drawSheet({ heading: 'What it shows', note, keys, blocks }));
    expect(full.count([250, 0, 0])).toBe(100 * 100);
    expect(full.count([0, 250, 0])).toBeGreaterThan(12 * 11 * 12);
    // Two lines of sentences at least, and two of keys.
    expect(full.height - bare.height).toBeGreaterThan(28 + 2 * 23 + 2 * 28 - 1);
    expect(full.width).toBeGreaterThan(600);
  });
});

describe('enlarging', () => {
  it('keeps one colour a pixel, row by row', () => {
    const small = { data: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), width: 2, height: 2 };
    const { data, width, height } = enlargeEvenly(small, 4);
    expect([width, height]).toEqual([4, 4]);
    const red = Array.from({ length: 16 }, (_, pixel) => data[pixel * 3]);
    expect(red).toEqual([1, 1, 4, 4, 1, 1, 4, 4, 7, 7, 10, 10, 7, 7, 10, 10]);
    expect([...data.subarray(0, 3)]).toEqual([1, 2, 3]);
  });

  it('keeps a plain colour plain', () => {
    expect(enlargeSmoothly(red, 200)).toEqual(plain(200, [250, 0, 0]));
  });

  it.each([
    [16, 8, 176],
    [32, 4, 352],
    [128, 1, 768],
    [224, 8, 224],
    [16, 100, 176],
  ])('shows %i patches a side, %i images beside each other, as %i pixels', (patches, images, side) => {
    expect(shownSide(patches, images)).toBe(side);
  });
});
