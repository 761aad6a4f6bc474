import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeRgb } from '../../../src/data/decode.js';
import { DecodingPool } from '../../../src/data/decoding-pool.js';
import { plainJpegSize } from '../../../src/data/jpeg-header.js';
import { decodeJpeg, resample, useNativeImages } from '../../../src/data/native-images.js';
import { type Box, type Raster, resampleRgb } from '../../../src/data/resample.js';
import type { View } from '../../../src/data/views.js';
import { imageLibraries } from '../../../src/engine/installation.js';
import { Random } from '../../../src/support/random.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const native = imageLibraries();
useNativeImages(native);
if (native === undefined) process.stderr.write('skipped: the addon for images is not built (npm run setup)\n');
else if (native.libjpeg === undefined) process.stderr.write('skipped: no libjpeg-turbo was found by npm run setup\n');

const random = Random.from(11);
/** Smooth colours with some noise, as photos have. */
function picture(width: number, height: number): Raster {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = 90 + 80 * Math.sin(i / 50 + (i % 3)) + random.integer(0, 40);
  return { data, width, height };
}
const photo = (width: number, height: number) => {
  const { data } = picture(width, height);
  return sharp(data, { raw: { width, height, channels: 3 } });
};

/** What sharp alone makes of a file; undefined: an error. */
async function bySharp(bytes: Uint8Array): Promise<Raster | undefined> {
  try {
    const upright = sharp(bytes, { failOn: 'truncated', ignoreIcc: true }).autoOrient().removeAlpha();
    const { data, info } = await upright
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  } catch {
    return undefined;
  }
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

describe.skipIf(native === undefined)('resample', () => {
  const window = (width: number, height: number): Box => ({ left: 0, top: 0, width, height });
  const boxes: [image: Raster, box: Box][] = [
    [picture(1, 1), window(1, 1)],
    [picture(7, 1), window(7, 1)],
    [picture(1, 9), { left: 0, top: 2, width: 1, height: 5 }],
    [picture(61, 47), window(61, 47)],
    [picture(61, 47), { left: 60, top: 46, width: 1, height: 1 }],
    [picture(233, 151), { left: 33, top: 14, width: 200, height: 137 }],
  ];
  const sizes = [
    [1, 1],
    [3, 17],
    [23, 5],
    [64, 64],
    [97, 131],
    [224, 224],
  ] as const;

  it('gives the bytes of the TypeScript, growing and shrinking, in windows, flipped or not', () => {
    for (const [image, box] of boxes) {
      for (const [width, height] of sizes) {
        const part = { left: width >> 2, top: height >> 3, width: (width + 1) >> 1, height: (height + 1) >> 1 };
        for (const shown of [window(width, height), part]) {
          for (const flip of [false, true]) {
            const [expected, actual] = [0, 1].map(() => new Uint8Array(shown.width * shown.height * 3));
            const geometry = { box, width, height, window: shown, flip };
            resampleRgb(image, geometry, expected!);
            resample(image, geometry, actual!);
            expect(same(actual!, expected!), JSON.stringify([image.width, image.height, geometry])).toBe(true);
          }
        }
      }
    }
  });

  it('cuts at both ends of the range as the TypeScript does', () => {
    const data = Uint8Array.from({ length: 40 * 30 * 3 }, () => (random.uniform() < 0.5 ? 0 : 255));
    const image = { data, width: 40, height: 30 };
    const geometry = { box: window(40, 30), width: 101, height: 99, window: window(101, 99), flip: false };
    const [expected, actual] = [new Uint8Array(101 * 99 * 3), new Uint8Array(101 * 99 * 3)];
    resampleRgb(image, geometry, expected);
    resample(image, geometry, actual);
    expect(same(actual, expected)).toBe(true);
  });

  it('refuses what does not fit together', () => {
    const image = picture(8, 8);
    const geometry = { box: window(9, 8), width: 4, height: 4, window: window(4, 4), flip: false };
    expect(() => resample(image, geometry, new Uint8Array(48))).toThrow(/a box in the image/);
    expect(() => resample(image, { ...geometry, box: window(8, 8) }, new Uint8Array(47))).toThrow(/their pixels/);
  });
});

describe.skipIf(native?.libjpeg === undefined)('decodeJpeg', () => {
  const kinds = {
    'quality 30': { quality: 30 },
    'quality 90, colours in full': { quality: 90, chromaSubsampling: '4:4:4' },
    'quality 100, optimised': { quality: 100, mozjpeg: true },
    progressive: { progressive: true, quality: 75 },
  };
  const sizes = [
    [1, 1],
    [3, 5],
    [8, 8],
    [17, 33],
    [65, 48],
    [200, 145],
  ] as const;

  it.each(Object.entries(kinds))('gives the pixels of sharp: %s, colour and grey', async (_, options) => {
    for (const [width, height] of sizes) {
      for (const grey of [false, true]) {
        const bytes = await photo(width, height).greyscale(grey).jpeg(options).toBuffer();
        const image = decodeJpeg(bytes);
        expect([image?.width, image?.height]).toEqual([width, height]);
        expect(same(image!.data, (await bySharp(bytes))!.data), `${width} x ${height}, grey: ${grey}`).toBe(true);
      }
    }
  });

  it('gives the pixels of sharp for files that others wrote, and for RGB that was not converted', async () => {
    const written = ['0', '1', '2'].map((i) =>
      readFileSync(new URL(`../../goldens/eval_image_${i}.jpg`, import.meta.url)),
    );
    const plain = await photo(50, 40).jpeg({ chromaSubsampling: '4:4:4' }).toBuffer();
    const adobe = Buffer.from('ffee000e41646f626500640000000000', 'hex');
    const rgb = Buffer.concat([plain.subarray(0, 2), adobe, plain.subarray(2)]);
    for (const bytes of [...written, rgb]) {
      expect(same(decodeJpeg(bytes)!.data, (await bySharp(bytes))!.data)).toBe(true);
    }
  });

  it('leaves to sharp what is not plain: other formats, CMYK, turned pictures', async () => {
    const upright = await photo(20, 10).withMetadata({ orientation: 1 }).jpeg().toBuffer();
    expect(plainJpegSize(upright)).toEqual({ width: 20, height: 10 });
    const turned = await photo(20, 10).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const cmyk = readFileSync(new URL('../../fixtures/cmyk-adobe.jpg', import.meta.url));
    const png = await photo(20, 10).png().toBuffer();
    for (const bytes of [turned, cmyk, png]) expect(plainJpegSize(bytes)).toBeUndefined();
    const image = await decodeRgb(turned);
    expect([image.width, image.height]).toEqual([10, 20]);
  });

  it('never has memory for pixels that a file cannot hold', async () => {
    const bytes = await photo(16, 16).jpeg().toBuffer();
    const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
    bytes.writeUInt16BE(16_000, frame + 5);
    bytes.writeUInt16BE(16_000, frame + 7);
    expect(plainJpegSize(bytes)).toBeUndefined();
  });

  it.each([false, true])('does with damaged files what sharp does (progressive: %s)', async (progressive) => {
    const good = await photo(48, 40).withMetadata({ orientation: 1 }).jpeg({ progressive }).toBuffer();
    const damaged = [0.3, 0.6, 0.9, 0.99].map((share) => good.subarray(0, good.length * share));
    damaged.push(good.subarray(0, good.length - 2), Buffer.concat([good, Buffer.from('more')]));
    for (let i = 0; i < 250; i++) {
      const bytes = Buffer.from(good);
      for (let k = random.integer(1, 3); k > 0; k--)
        bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
      damaged.push(bytes);
    }
    let readable = 0;
    for (const bytes of damaged) {
      const expected = await bySharp(bytes);
      const actual = await decodeRgb(bytes).catch(() => undefined);
      expect(actual === undefined).toBe(expected === undefined);
      if (expected === undefined || actual === undefined) continue;
      readable++;
      expect([actual.width, actual.height, same(actual.data, expected.data)]).toEqual([
        expected.width,
        expected.height,
        true,
      ]);
    }
    expect(readable).toBeGreaterThan(20);
    expect(readable).toBeLessThan(damaged.length);
  });

  it('gives in threads at once what threads without it give', async () => {
    const folder = temporaryFolder();
    const tasks = await Promise.all(
      Array.from({ length: 24 }, async (_, slot) => {
        const path = join(folder, `${slot}.jpg`);
        writeFileSync(
          path,
          await photo(20 + slot, 90 - slot)
            .jpeg()
            .toBuffer(),
        );
        return { slot, position: slot, image: { kind: 'file', path } as const };
      }),
    );
    const views: View[] = [
      { kind: 'random-resized-crop', size: 32, scale: [0.3, 1], flip: true },
      { kind: 'resize-centre-crop', resize: 20, size: 16 },
    ];
    const bytes = tasks.length * (32 * 32 + 16 * 16) * 3;
    const outputs: Uint8Array[] = [];
    for (const libraries of [undefined, native]) {
      const pool = new DecodingPool(2, { views, seed: 3, native: libraries, keep: false });
      pool.hold(true);
      const images = new SharedArrayBuffer(bytes);
      expect(await pool.run(tasks, images)).toEqual({ failures: [], decoded: [] });
      outputs.push(new Uint8Array(images));
      await pool.close();
    }
    expect(same(outputs[0]!, outputs[1]!)).toBe(true);
  });
});
