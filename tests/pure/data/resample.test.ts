import { describe, expect, it } from 'vitest';
import { decodeRgb } from '../../../src/data/decode.js';
import { readLabelPng } from '../../../src/data/decode-label-png.js';
import { type Box, type Geometry, type Raster, resampleNearest, resampleRgb } from '../../../src/data/resample.js';
import { shortSideTo, viewGeometry } from '../../../src/data/views.js';
import { Random } from '../../../src/support/random.js';
import { evalBytes, evalJson, evalPictures, goldenFile, haveEvalGoldens } from './eval-goldens.js';

const square = (size: number): Box => ({ left: 0, top: 0, width: size, height: size });
const anyDraws = Random.from(0);

function cut(image: Raster, geometry: Geometry): Uint8Array {
  const output = new Uint8Array(geometry.window.width * geometry.window.height * 3);
  resampleRgb(image, geometry, output);
  return output;
}

function noise(width: number, height: number): Raster {
  const random = Random.from(7);
  return {
    data: Uint8Array.from({ length: width * height * 3 }, () => random.integer(0, 255)),
    width,
    height,
  };
}

describe.skipIf(!haveEvalGoldens)('against Pillow (stored numbers)', () => {
  const golden = haveEvalGoldens ? evalBytes() : undefined!;
  const picture = haveEvalGoldens ? evalPictures() : undefined!;
  const json = haveEvalGoldens
    ? evalJson<{
        images: { png: string; jpeg: string; label: string }[];
        sizes: { exact: number[]; short: [number, number]; label: number[] };
        crop_boxes: Record<string, Box & { size: number }>;
        short_side_sizes: Record<string, [number, number]>;
        keys: Record<string, unknown>;
      }>()
    : undefined!;
  const expectBytes = (actual: Uint8Array, name: string) =>
    expect(Buffer.compare(actual, golden(name).data), name).toBe(0);
  const image = (i: number): Raster => picture(`image.${i}.rgb`);

  it('decodes PNG exactly and JPEG within two levels', async () => {
    for (const [i, files] of json.images.entries()) {
      expectBytes((await decodeRgb(goldenFile(files.png))).data, `image.${i}.rgb`);
      const jpeg = (await decodeRgb(goldenFile(files.jpeg))).data;
      const expected = golden(`image.${i}.jpeg_rgb`).data;
      expect(jpeg.length).toBe(expected.length);
      expect(jpeg.reduce((worst, value, k) => Math.max(worst, Math.abs(value - expected[k]!)), 0)).toBeLessThanOrEqual(
        2,
      );
    }
  });

  it('resizes to an exact size bit for bit', () => {
    json.images.forEach((_, i) => {
      for (const size of json.sizes.exact) {
        const { width, height } = image(i);
        expectBytes(
          cut(image(i), viewGeometry({ kind: 'resize', size }, width, height, anyDraws)),
          `tf.${i}.resize_${size}.rgb`,
        );
      }
    });
  });

  it('resizes the short side and crops the centre bit for bit', () => {
    const [resize, size] = json.sizes.short;
    json.images.forEach((_, i) => {
      const { width, height } = image(i);
      const geometry = viewGeometry({ kind: 'resize-centre-crop', resize, size }, width, height, anyDraws);
      expectBytes(cut(image(i), geometry), `tf.${i}.short_${resize}_center_${size}.rgb`);
    });
    const { width, height } = image(1);
    const published = viewGeometry({ kind: 'resize-centre-crop', resize: 256, size: 224 }, width, height, anyDraws);
    expectBytes(cut(image(1), published), 'tf.1.classify_eval_224.rgb');
  });

  it('cuts boxes bit for bit', () => {
    for (const [key, { size, ...box }] of Object.entries(json.crop_boxes)) {
      const [i, kind] = key.split('.') as [string, string];
      const geometry = { box, width: size, height: size, window: square(size), flip: false };
      expectBytes(cut(image(Number(i)), geometry), `tf.${i}.crop_${kind}.rgb`);
    }
  });

  it('takes the horizontal pass first', () => {
    const input = picture('tf.order.input');
    const names = Object.keys(json.keys).filter((name) => /^tf\.order\.\d/.test(name));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const [height, width] = golden(name).shape as [number, number];
      const window = { left: 0, top: 0, width, height };
      const box = { left: 0, top: 0, width: input.width, height: input.height };
      expectBytes(cut(input, { box, width, height, window, flip: false }), name);
    }
  });

  it('rounds the long side as torchvision does', () => {
    for (const [key, expected] of Object.entries(json.short_side_sizes)) {
      const [, width, height, size] = /^(\d+)x(\d+)->(\d+)$/.exec(key)!.map(Number) as [number, number, number, number];
      expect(shortSideTo(width, height, size), key).toEqual(expected);
    }
  });

  it('reads and resizes label maps exactly, grey and palette', () => {
    json.images.forEach(({ label }, i) => {
      const map = readLabelPng(goldenFile(label));
      expectBytes(map.data, `label.${i}.index`);
      for (const size of json.sizes.label) {
        const output = new Uint8Array(size * size);
        resampleNearest(map, viewGeometry({ kind: 'resize', size }, map.width, map.height, anyDraws), output);
        expectBytes(output, `tf.${i}.label_nearest_${size}`);
      }
    });
  });
});

describe('resampleRgb', () => {
  const image = noise(23, 17);
  const box = { left: 4, top: 2, width: 12, height: 11 };

  it('leaves pixels alone when the size does not change', () => {
    const output = cut(image, {
      box,
      width: 12,
      height: 11,
      window: { ...box, left: 0, top: 0 },
      flip: false,
    });
    for (let y = 0; y < 11; y++) {
      const row = ((box.top + y) * 23 + box.left) * 3;
      expect(output.subarray(y * 36, y * 36 + 36)).toEqual(image.data.subarray(row, row + 36));
    }
  });

  it('keeps a uniform colour, shrinking and growing', () => {
    const grey = { data: new Uint8Array(50 * 40 * 3).fill(201), width: 50, height: 40 };
    for (const size of [3, 64]) {
      const whole = { left: 0, top: 0, width: 50, height: 40 };
      expect(new Set(cut(grey, { box: whole, width: size, height: size, window: square(size), flip: false }))).toEqual(
        new Set([201]),
      );
    }
  });

  it('sees nothing outside the box', () => {
    const geometry = { box, width: 30, height: 30, window: square(30), flip: false };
    const marked = { ...image, data: image.data.slice() };
    for (let y = 0; y < 17; y++) {
      for (let x = 0; x < 23; x++) {
        const inside = x >= 4 && x < 16 && y >= 2 && y < 13;
        if (!inside) marked.data.fill(255, (y * 23 + x) * 3, (y * 23 + x) * 3 + 3);
      }
    }
    expect(cut(marked, geometry)).toEqual(cut(image, geometry));
  });

  it('gives in a window what is there in the whole, and mirrors rows when flipped', () => {
    const whole = cut(image, {
      box,
      width: 40,
      height: 30,
      window: { left: 0, top: 0, width: 40, height: 30 },
      flip: false,
    });
    const window = { left: 7, top: 5, width: 9, height: 8 };
    const part = cut(image, { box, width: 40, height: 30, window, flip: false });
    const flipped = cut(image, { box, width: 40, height: 30, window, flip: true });
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 9; x++) {
        const pixel = (data: Uint8Array, at: number) => [...data.subarray(at * 3, at * 3 + 3)];
        expect(pixel(part, y * 9 + x)).toEqual(pixel(whole, (y + 5) * 40 + x + 7));
        expect(pixel(flipped, y * 9 + x)).toEqual(pixel(part, y * 9 + 8 - x));
      }
    }
  });
});
