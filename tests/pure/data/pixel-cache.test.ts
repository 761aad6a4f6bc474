import { totalmem } from 'node:os';
import { expect, it } from 'vitest';
import { PixelCache } from '../../../src/data/pixel-cache.js';

const image = (bytes: number) => ({ pixels: new SharedArrayBuffer(bytes), width: bytes / 3, height: 1 });

it('keeps the first of two images of one index', () => {
  const cache = new PixelCache(4);
  const [first, second] = [image(300), image(300)];
  cache.keep(2, first);
  cache.keep(2, second);
  expect(cache.get(2)).toBe(first);
  expect(cache.get(1)).toBeUndefined();
  expect(cache).toMatchObject({ size: 1, bytes: 300, expectedBytes: 1200 });
});

it('refuses more than its limit, at most half of the memory, with what to do', () => {
  expect(new PixelCache(1).limit).toBeLessThanOrEqual(totalmem() / 2);
  const cache = new PixelCache(100, 1000);
  for (let index = 0; index < 3; index++) cache.keep(index, image(300));
  expect(() => cache.keep(3, image(300))).toThrow(
    /at most 1 kB.*; 4 of 100 images take 1.2 kB, all of them about 30 kB/,
  );
});

it('refuses a set early once it is sure to be too large', () => {
  const cache = new PixelCache(10_000, 1e6);
  for (let index = 0; index < 199; index++) cache.keep(index, image(300));
  expect(() => cache.keep(199, image(300))).toThrow(/200 of 10000 images take 60 kB, all of them about 3 MB/);
  // Near the limit, the mean of some does not decide.
  const near = new PixelCache(10_000, 2.5e6);
  for (let index = 0; index < 400; index++) near.keep(index, image(300));
});
