import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeRgb } from '../../../src/data/decode.js';
import { readLabelPng } from '../../../src/data/decode-label-png.js';
import type { Raster } from '../../../src/data/resample.js';

/** Red top left, green top right, blue bottom left, white bottom right; 32 x 16 pixels. */
const corners = await sharp({ create: { width: 32, height: 16, channels: 3, background: 'white' } })
  .composite([
    { input: { create: { width: 16, height: 8, channels: 3, background: '#f00' } }, left: 0, top: 0 },
    { input: { create: { width: 16, height: 8, channels: 3, background: '#0f0' } }, left: 16, top: 0 },
    { input: { create: { width: 16, height: 8, channels: 3, background: '#00f' } }, left: 0, top: 8 },
  ])
  .png()
  .toBuffer();

const RED = [255, 0, 0];
const GREEN = [0, 255, 0];
const BLUE = [0, 0, 255];
const WHITE = [255, 255, 255];

function cornersOf({ data, width, height }: Raster): number[][] {
  const pixel = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
  return [pixel(1, 1), pixel(width - 2, 1), pixel(1, height - 2), pixel(width - 2, height - 2)];
}

function expectNear(actual: number[][], expected: number[][], tolerance: number): void {
  actual.flat().forEach((value, i) => {
    expect(Math.abs(value - expected.flat()[i]!), `${actual} should be ${expected}`).toBeLessThanOrEqual(tolerance);
  });
}

describe('decodeRgb', () => {
  it('turns images upright as EXIF says', async () => {
    const jpeg = sharp(corners).withMetadata({ orientation: 6 }).jpeg({ quality: 100, chromaSubsampling: '4:4:4' });
    const image = await decodeRgb(await jpeg.toBuffer());
    expect([image.width, image.height]).toEqual([16, 32]);
    // Orientation 6 is shown turned clockwise: the bottom left corner comes to the top left.
    expectNear(cornersOf(image), [BLUE, RED, WHITE, GREEN], 6);
  });

  it.each([
    ['WebP', () => sharp(corners).webp({ lossless: true })],
    ['TIFF', () => sharp(corners).tiff()],
    ['palette PNG', () => sharp(corners).png({ palette: true })],
    ['GIF', () => sharp(corners).gif()],
    ['16-bit PNG', () => sharp(corners).toColourspace('rgb16').png()],
  ])('reads %s', async (_, make) => {
    const image = await decodeRgb(await make().toBuffer());
    expect([image.width, image.height, image.data.length]).toEqual([32, 16, 32 * 16 * 3]);
    expectNear(cornersOf(image), [RED, GREEN, BLUE, WHITE], 4);
  });

  it('reads CMYK with inverted values, as Photoshop and Pillow write it', async () => {
    // Made with Pillow: bands of 8 pixels in red, green, blue, white, black (100 % inks).
    const bytes = readFileSync(new URL('../../fixtures/cmyk-adobe.jpg', import.meta.url));
    expect((await sharp(bytes).metadata()).space).toBe('cmyk');
    const { data, width } = await decodeRgb(bytes);
    expect([width, data.length]).toEqual([48, 48 * 8 * 3]);
    const band = (i: number) => [...data.subarray((4 * 48 + i * 8 + 4) * 3, (4 * 48 + i * 8 + 4) * 3 + 3)];
    // Print holds no pure colours: the strongest channel tells.
    for (const [i, channel] of [0, 1, 2].entries()) {
      const others = band(i).filter((_, c) => c !== channel);
      expect(band(i)[channel], `band ${i}: ${band(i)}`).toBeGreaterThan(Math.max(...others) + 50);
    }
    expect(Math.min(...band(3))).toBeGreaterThan(240);
    expect(Math.max(...band(4))).toBeLessThan(30);
  });

  it('repeats grey in three channels', async () => {
    for (const space of ['b-w', 'grey16']) {
      const grey = sharp({
        create: { width: 9, height: 7, channels: 3, background: { r: 90, g: 90, b: 90 } },
      });
      const image = await decodeRgb(await grey.toColourspace(space).png().toBuffer());
      expect(image.data.length).toBe(9 * 7 * 3);
      expect(new Set(image.data), space).toEqual(new Set([90]));
    }
  });

  it('drops alpha without compositing, as Pillow does', async () => {
    const clear = { r: 200, g: 100, b: 50, alpha: 0.25 };
    const png = await sharp({ create: { width: 4, height: 4, channels: 4, background: clear } })
      .png()
      .toBuffer();
    expect([...(await decodeRgb(png)).data.subarray(0, 3)]).toEqual([200, 100, 50]);
  });

  it.each(['gif', 'webp'] as const)('takes the first frame of an animated %s', async (format) => {
    const frame = (background: string) =>
      sharp({ create: { width: 8, height: 8, channels: 3, background } })
        .png()
        .toBuffer();
    const frames = await Promise.all([frame('#f00'), frame('#00f')]);
    const animation = sharp(frames, { join: { animated: true } });
    const bytes = await (format === 'gif' ? animation.gif() : animation.webp({ lossless: true })).toBuffer();
    expect((await sharp(bytes).metadata()).pages).toBe(2);
    const image = await decodeRgb(bytes);
    expect([image.width, image.height]).toEqual([8, 8]);
    expect([...image.data.subarray(0, 3)]).toEqual(RED);
  });

  it('refuses truncated, empty and foreign bytes', async () => {
    const noisy = sharp({
      create: {
        width: 64,
        height: 64,
        channels: 3,
        background: 'red',
        noise: { type: 'gaussian', mean: 128, sigma: 40 },
      },
    });
    for (const bytes of [
      await noisy.clone().jpeg().toBuffer(),
      await noisy.clone().png().toBuffer(),
      await noisy.clone().webp().toBuffer(),
    ]) {
      await expect(decodeRgb(bytes)).resolves.toBeDefined();
      await expect(decodeRgb(bytes.subarray(0, bytes.length * 0.7))).rejects.toThrow();
    }
    await expect(decodeRgb(Buffer.alloc(0))).rejects.toThrow(/empty/);
    await expect(decodeRgb(Buffer.from('not an image'))).rejects.toThrow(/unsupported image format/);
  });

  it('refuses decompression bombs', async () => {
    await expect(decodeRgb(pngOf(20_000, 20_000, 8, 0, Buffer.alloc(0)))).rejects.toThrow(/pixel limit/);
    // Formats that are decoded as a whole: the same pixels take them seconds and gigabytes.
    const red = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } });
    const webp = await red.webp().toBuffer();
    for (const side of [26, 28]) webp.writeUInt16LE(9000, side);
    await expect(decodeRgb(webp)).rejects.toThrow(/pixel limit/);
  });

  it('refuses drawings and tables, whatever their name: only photo formats have a decoder', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>';
    for (const text of [svg, `<?xml version="1.0"?>${svg}`, 'P3 1 1 255 1 2 3', '1,2\n3,4\n'])
      await expect(decodeRgb(Buffer.from(text))).rejects.toThrow(/unsupported image format/);
  });
});

/** A PNG with given rows, filter bytes included. */
function pngOf(width: number, height: number, bits: number, colour: number, rows: Buffer, interlaced = 0): Buffer {
  const chunk = (name: string, body: Buffer) => {
    const bytes = Buffer.alloc(12 + body.length);
    bytes.writeUInt32BE(body.length, 0);
    bytes.write(name, 4, 'latin1');
    body.copy(bytes, 8);
    bytes.writeUInt32BE(crc(bytes.subarray(4, 8 + body.length)), 8 + body.length);
    return bytes;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bits, colour, 0, 0, interlaced], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crc(bytes: Buffer): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let i = 0; i < 8; i++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

describe('readLabelPng', () => {
  it('keeps grey values, through every row filter', async () => {
    const values = Buffer.from(Array.from({ length: 60 * 50 }, (_, i) => (i * i + (i >> 4)) % 256));
    const raw = { raw: { width: 60, height: 50, channels: 1 as const } };
    for (const adaptiveFiltering of [true, false]) {
      const png = await sharp(values, raw).toColourspace('b-w').png({ adaptiveFiltering }).toBuffer();
      const map = readLabelPng(png);
      expect([map.width, map.height]).toEqual([60, 50]);
      expect(Buffer.compare(map.data, values)).toBe(0);
    }
  });

  it('unpacks 1, 2 and 4 bits without stretching the values', () => {
    expect([...readLabelPng(pngOf(3, 1, 1, 0, Buffer.from([0, 0b10100000]))).data]).toEqual([1, 0, 1]);
    expect([...readLabelPng(pngOf(3, 2, 2, 3, Buffer.from([0, 0b00011011, 2, 0]))).data]).toEqual([0, 1, 2, 0, 1, 2]);
    expect([...readLabelPng(pngOf(3, 1, 4, 3, Buffer.from([0, 0x1f, 0x70]))).data]).toEqual([1, 15, 7]);
  });

  it('names what it cannot take', async () => {
    await expect((async () => readLabelPng(corners))()).rejects.toThrow(/grey or palette.*RGB/);
    expect(() => readLabelPng(pngOf(1, 1, 16, 0, Buffer.from([0, 1, 2])))).toThrow(/16 bits/);
    expect(() => readLabelPng(pngOf(1, 1, 8, 0, Buffer.from([0, 1]), 1))).toThrow(/interlac/);
    expect(() => readLabelPng(pngOf(9, 9, 8, 0, Buffer.from([0, 1])))).toThrow(/truncated/);
    expect(() => readLabelPng(Buffer.from('GIF89a'))).toThrow(/PNG/);
    expect(() => readLabelPng(pngOf(1, 1, 3, 0, Buffer.from([0, 1])))).toThrow(/3 bits/);
    expect(() => readLabelPng(pngOf(2 ** 31, 2 ** 31, 1, 0, Buffer.alloc(0)))).toThrow(/too large/);
    expect(() => readLabelPng(pngOf(0, 5, 8, 0, Buffer.alloc(0)))).toThrow(/0 x 5/);
    // A gigabyte of zeros behind two pixels is not unpacked.
    expect(() => readLabelPng(pngOf(2, 1, 8, 0, Buffer.alloc(2 ** 20)))).toThrow(/damaged/);
  });
});
