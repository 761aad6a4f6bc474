import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { create } from 'tar';
import { afterAll, describe, expect, it } from 'vitest';
import { byolAugmentations } from '../../../src/data/augment.js';
import type { Dataset } from '../../../src/data/dataset.js';
import { type BrokenImage, type ImageBatch, Loader, type LoaderOptions } from '../../../src/data/loader.js';
import { PixelCache } from '../../../src/data/pixel-cache.js';
import { openDataset } from '../../../src/data/spec.js';

const root = mkdtempSync(join(tmpdir(), 'tessera-loader-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const CROP = { kind: 'random-resized-crop', size: 12, scale: [0.3, 1], flip: true } as const;
const noise = (width: number, height: number) =>
  sharp({
    create: {
      width,
      height,
      channels: 3,
      background: 'red',
      noise: { type: 'gaussian', mean: 128, sigma: 50 },
    },
  });

/** A folder of `count` noisy images of different sizes, the names in order; those in `broken` are cut off. */
async function folderOf(name: string, count: number, broken: readonly number[] = []): Promise<Dataset> {
  const folder = join(root, name);
  mkdirSync(folder);
  for (let i = 0; i < count; i++) {
    const jpeg = await noise(20 + (i % 7) * 9, 16 + (i % 5) * 11)
      .jpeg()
      .toBuffer();
    const file = join(folder, `${String(i).padStart(3, '0')}.jpg`);
    writeFileSync(file, broken.includes(i) ? jpeg.subarray(0, jpeg.length / 2) : jpeg);
  }
  return openDataset(folder);
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

async function all(options: Partial<LoaderOptions> & { dataset: Dataset }): Promise<ImageBatch[]> {
  const batches: ImageBatch[] = [];
  const order = range(options.dataset.size);
  const loader = new Loader({ views: [CROP], batchSize: 4, order, seed: 1, workers: 2, ...options });
  for await (const batch of loader) batches.push(batch);
  return batches;
}

const bytes = (batches: readonly ImageBatch[]) => Buffer.concat(batches.map((batch) => batch.images));
const indices = (batches: readonly ImageBatch[]) => batches.flatMap((batch) => [...batch.indices]);

describe('Loader', async () => {
  const good = await folderOf('good', 23);

  it('gives all images in order, the last batch smaller or left out', async () => {
    const order = range(23).reverse();
    const batches = await all({ dataset: good, order });
    expect(indices(batches)).toEqual(order);
    expect(batches.map((batch) => batch.size)).toEqual([4, 4, 4, 4, 4, 3]);
    expect(batches[5]!.images.length).toBe(3 * 12 * 12 * 3);
    expect(batches[0]!.names[0]).toBe('022.jpg');
    expect([...batches[0]!.labels]).toEqual([-1, -1, -1, -1]);
    expect(indices(await all({ dataset: good, order, dropLast: true })).length).toBe(20);
  });

  it('does not depend on workers, batch size or prefetching, only on seed and position', async () => {
    const one = bytes(await all({ dataset: good, workers: 1 }));
    expect(Buffer.compare(one, bytes(await all({ dataset: good, workers: 3, prefetch: 5, batchSize: 7 })))).toBe(0);
    expect(Buffer.compare(one, bytes(await all({ dataset: good, seed: 2 })))).not.toBe(0);
    const rest = bytes(await all({ dataset: good, order: range(23).slice(8), position: 8 }));
    expect(Buffer.compare(one.subarray(8 * 12 * 12 * 3), rest)).toBe(0);
    const shifted = bytes(await all({ dataset: good, order: range(23).slice(8), position: 9 }));
    expect(Buffer.compare(shifted, rest)).not.toBe(0);
  });

  it('gives two crops of one image at different places of the stream', async () => {
    const [batch] = await all({ dataset: good, order: [3, 3], batchSize: 2 });
    const half = batch!.images.length / 2;
    expect(Buffer.compare(batch!.images.subarray(0, half), batch!.images.subarray(half))).not.toBe(0);
  });

  it('puts views one after another', async () => {
    const views = [{ kind: 'resize', size: 8 }, CROP, { kind: 'resize-centre-crop', resize: 9, size: 6 }] as const;
    const [batch] = await all({ dataset: good, views });
    expect(batch).toMatchObject({ viewSizes: [8, 12, 6], viewOffsets: [0, 192, 624], sampleBytes: 732 });
    const [alone] = await all({ dataset: good, views: [views[2]] });
    expect(Buffer.compare(batch!.images.subarray(732 + 624, 2 * 732), alone!.images.subarray(108, 216))).toBe(0);
  });

  it('gives every view its own random numbers, whatever the others take', async () => {
    const coloured = { ...CROP, augment: byolAugmentations.global1 };
    const [alone] = await all({ dataset: good, views: [CROP] });
    const [plain] = await all({ dataset: good, views: [CROP, CROP, CROP], workers: 3 });
    const [mixed] = await all({ dataset: good, views: [CROP, coloured, CROP] });
    const view = (batch: ImageBatch, sample: number, place: number) => {
      const start = sample * batch.sampleBytes + batch.viewOffsets[place]!;
      return batch.images.subarray(start, start + 12 * 12 * 3);
    };
    let changed = 0;
    for (let sample = 0; sample < 4; sample++) {
      expect(Buffer.compare(view(plain!, sample, 0), view(alone!, sample, 0))).toBe(0);
      expect(Buffer.compare(view(plain!, sample, 2), view(mixed!, sample, 2))).toBe(0);
      expect(Buffer.compare(view(plain!, sample, 1), view(plain!, sample, 2))).not.toBe(0);
      changed += Math.abs(Buffer.compare(view(plain!, sample, 1), view(mixed!, sample, 1)));
    }
    expect(changed).toBeGreaterThan(0);
  });

  it('takes an endless order, works ahead, and closes when the loop is left', async () => {
    let taken = 0;
    function* endless(): Generator<number> {
      for (;;) yield taken++ % good.size;
    }
    const loader = new Loader({
      dataset: good,
      views: [CROP],
      batchSize: 4,
      order: endless(),
      seed: 0,
      workers: 2,
    });
    expect(taken).toBe(8);
    let seen = 0;
    for await (const batch of loader) {
      expect([...batch.indices]).toEqual(range(4).map((i) => (seen * 4 + i) % good.size));
      if (++seen === 3) break;
    }
    expect(taken).toBe(20);
    await expect(loader.next()).rejects.toThrow(/closed/);
  });

  it('rejects a waiting next when it is closed', async () => {
    const loader = new Loader({
      dataset: good,
      views: [CROP],
      batchSize: 20,
      order: range(20),
      seed: 0,
      workers: 1,
    });
    const waiting = expect(loader.next()).rejects.toThrow(/closed/);
    await loader.close();
    await waiting;
  });

  it('lists wrong options at once, and names wrong indices', async () => {
    const make = (options: Partial<LoaderOptions>) => () =>
      new Loader({ dataset: good, views: [CROP], batchSize: 4, order: [], seed: 0, workers: 1, ...options });
    expect(make({ batchSize: 0, workers: 1.5, pixels: true })).toThrow(/batchSize[\s\S]*workers[\s\S]*pixel labels/);
    expect(make({ order: [0, 23] })).toThrow(/index 23, the data set has 0 to 22/);
  });
});

describe('broken images', () => {
  it('are reported once, and replaced by the next that can be read', async () => {
    const dataset = await folderOf('some-broken', 60, [45, 46]);
    writeFileSync(join(root, 'some-broken', '046.jpg'), 'text');
    const run = async (workers: number) => {
      const broken: BrokenImage[] = [];
      const order = [...range(60), ...range(60)];
      const batches = await all({ dataset, order, workers, onBroken: (bad) => broken.push(bad) });
      return { broken, batches };
    };
    // One after the other: libvips has one error text for all threads, which then has the words of either.
    const one = await run(1);
    const three = await run(3);
    const expected = range(60).map((i) => (i === 45 || i === 46 ? 47 : i));
    expect(indices(one.batches)).toEqual([...expected, ...expected]);
    expect(one.batches[11]!.names).toEqual(['044.jpg', '047.jpg', '047.jpg', '047.jpg']);
    expect(one.broken.map((bad) => bad.name)).toEqual(['045.jpg', '046.jpg']);
    expect(one.broken[0]!.reason).toMatch(/premature end/);
    expect(one.broken[1]!.reason).toMatch(/unsupported image format/);
    expect(three.broken.map((bad) => bad.name)).toEqual(['045.jpg', '046.jpg']);
    expect(Buffer.compare(bytes(one.batches), bytes(three.batches))).toBe(0);
  });

  it('stop the run when they are more than 5 % of at least 200', async () => {
    const broken = range(11).map((i) => 3 * i);
    const dataset = await folderOf('many-broken', 220, broken);
    const loader = new Loader({ dataset, views: [CROP], batchSize: 20, order: range(220), seed: 0, workers: 2 });
    for (let i = 0; i < 9; i++) await expect(loader.next()).resolves.toBeDefined();
    const stop = /11 of 200 images cannot be read, more than 5 %:\n {2}000\.jpg: .*\n {2}003\.jpg: .*\n {2}006\.jpg/;
    await expect(loader.next()).rejects.toThrow(stop);
    await expect(loader.next()).rejects.toThrow(stop);
    expect(loader.brokenCount).toBe(11);
    await loader.close();
  });

  it('do not stop a small set for a single one', async () => {
    const dataset = await folderOf('small', 6, [5]);
    const batches = await all({ dataset, order: [...range(6), ...range(6), ...range(6), ...range(6)] });
    expect(indices(batches).filter((index) => index === 5)).toEqual([]);
    expect(indices(batches)[5]).toBe(0);
  });

  it('stop the run when there is nothing else', async () => {
    const dataset = await folderOf('hopeless', 3, [0, 1, 2]);
    await expect(all({ dataset, workers: 1 })).rejects.toThrow(/3 images in a row cannot be read:\n {2}000\.jpg/);
  });

  it('include files that vanish', async () => {
    const dataset = await folderOf('vanishing', 8);
    rmSync(join(root, 'vanishing', '002.jpg'));
    const broken: BrokenImage[] = [];
    expect(indices(await all({ dataset, onBroken: (bad) => broken.push(bad) }))).toEqual([0, 1, 3, 3, 4, 5, 6, 7]);
    expect(broken).toEqual([{ name: '002.jpg', reason: expect.stringContaining('ENOENT') }]);
  });
});

describe('kept images', () => {
  const epochs = (count: number) => [...range(count), ...range(count).reverse(), ...range(count)];
  const views = [
    CROP,
    { ...CROP, size: 9, augment: byolAugmentations.global1 },
    { kind: 'resize-centre-crop', resize: 20, size: 16 },
  ] as const;

  it('change no batch, with any number of workers, and are decoded once', async () => {
    const dataset = await folderOf('kept', 23);
    const order = epochs(23);
    const plain = bytes(await all({ dataset, order, views }));
    for (const workers of [1, 2, 3]) {
      const cached = await all({ dataset, order, views, workers, prefetch: workers, cache: new PixelCache(23) });
      expect(Buffer.compare(bytes(cached), plain)).toBe(0);
    }
    const cache = new PixelCache(23);
    await all({ dataset, cache });
    const sizes = range(23).map((i) => (20 + (i % 7) * 9) * (16 + (i % 5) * 11) * 3);
    expect(cache.size).toBe(23);
    expect(cache.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
    rmSync(join(root, 'kept'), { recursive: true });
    const broken: BrokenImage[] = [];
    const again = await all({ dataset, order, views, cache, onBroken: (bad) => broken.push(bad) });
    expect(Buffer.compare(bytes(again), plain)).toBe(0);
    expect(broken).toEqual([]);
  });

  it('replace broken images as ever', async () => {
    const dataset = await folderOf('kept-broken', 40, [7, 8]);
    const run = async (cache?: PixelCache) => {
      const broken: BrokenImage[] = [];
      const order = epochs(40);
      const batches = await all({ dataset, order, cache, onBroken: (bad) => broken.push(bad) });
      return { pixels: bytes(batches), indices: indices(batches), broken };
    };
    const cache = new PixelCache(40);
    const [plain, kept] = [await run(), await run(cache)];
    expect(kept).toEqual(plain);
    expect(kept.broken.map(({ name }) => name)).toEqual(['007.jpg', '008.jpg']);
    expect(cache.size).toBe(38);
  });

  it('stop the loader when there are too many', async () => {
    const dataset = await folderOf('kept-large', 23);
    const cache = new PixelCache(23, 20_000);
    await expect(all({ dataset, cache })).rejects.toThrow(/at most 20 kB.* of 23 images take/);
  });
});

describe('sources', () => {
  it('gives the same pixels from a folder and from a tar archive', async () => {
    const folder = await folderOf('for-tar', 9);
    const names = range(9).map((i) => folder.item(i).name);
    await create({ file: join(root, 'images.tar'), cwd: join(root, 'for-tar') }, names);
    const tar = await openDataset(`tar://${join(root, 'images.tar')}`);
    expect(Buffer.compare(bytes(await all({ dataset: folder })), bytes(await all({ dataset: tar })))).toBe(0);
  });

  it('reads parquet rows across row groups, in any order', async () => {
    const fixture = fileURLToPath(new URL('../../fixtures/images.parquet', import.meta.url));
    const dataset = await openDataset(`parquet://${fixture}?label=label`);
    const order = [11, 0, 6, 5, 4, 3, 10];
    const batches = await all({ dataset, order, views: [{ kind: 'resize', size: 4 }] });
    // Row i was written in the uniform colour (20 i, 255 - 20 i, 100).
    const colours = batches.flatMap((batch) =>
      range(batch.size).map((i) => [...batch.images.subarray(i * 48, i * 48 + 3)]),
    );
    expect(colours).toEqual(order.map((i) => [20 * i, 255 - 20 * i, 100]));
    expect(batches.flatMap((batch) => [...batch.labels])).toEqual(order.map((i) => i % 3));
  });

  it('reads pixel labels of scenes and files, cut like the image', async () => {
    const scenes = await openDataset('scenes://?count=2&size=24');
    const [batch] = await all({ dataset: scenes, views: [{ kind: 'resize', size: 24 }], pixels: true });
    expect(batch!.pixels!.length).toBe(2 * 24 * 24);
    for (const id of new Set(batch!.pixels)) expect(scenes.pixelClasses![id]).toBeDefined();

    for (const folder of ['seg/images', 'seg/labels']) mkdirSync(join(root, folder), { recursive: true });
    // Label and brightness agree: left half 1 and dark, right half 200 and bright. The second label map is too small.
    const half = (left: number, right: number, width = 40) =>
      sharp(Buffer.from(range(width * 30).map((i) => (i % width < width / 2 ? left : right))), {
        raw: { width, height: 30, channels: 1 },
      })
        .toColourspace('b-w')
        .png()
        .toBuffer();
    writeFileSync(join(root, 'seg/images/a.png'), await half(10, 240));
    writeFileSync(join(root, 'seg/labels/a.png'), await half(1, 200));
    writeFileSync(join(root, 'seg/images/b.png'), await half(10, 240));
    writeFileSync(join(root, 'seg/labels/b.png'), await half(1, 200, 20));
    const dataset = await openDataset(`segmentation://${join(root, 'seg')}?ignore=255`);
    const broken: BrokenImage[] = [];
    const view = { ...CROP, size: 16, scale: [0.5, 1] } as const;
    const order = [0, 0, 0, 0, 0, 0, 0, 1];
    const pairs = await all({
      dataset,
      order,
      views: [view],
      pixels: true,
      onBroken: (bad) => broken.push(bad),
    });
    for (const { images, pixels } of pairs) {
      pixels!.forEach((id, i) => {
        const bright = images[i * 3]!;
        if (bright < 20 || bright > 230) expect(id).toBe(bright > 128 ? 200 : 1);
      });
    }
    expect(broken).toEqual([{ name: 'b.png', reason: 'the label map is 20 x 30 pixels, the image 40 x 30' }]);
  });
});

describe('processes', () => {
  const run = (code: string) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      encoding: 'utf8',
      timeout: 15_000,
    });
  const prelude = `
    import { openDataset } from './dist/data/spec.js';
    import { Loader } from './dist/data/loader.js';
    const dataset = await openDataset('scenes://?count=64&size=32');
    const loader = new Loader({ dataset, views: [{ kind: 'resize', size: 32 }], batchSize: 8, seed: 0, workers: 2,
      order: Array.from({ length: 64 }, (_, i) => i) });`;

  it('end by themselves, with a loader closed or forgotten', () => {
    expect(run(`${prelude} console.log((await loader.next()).size); await loader.close();`)).toBe('8\n');
    expect(run(`${prelude} console.log((await loader.next()).size);`)).toBe('8\n');
  });

  it('have batches ready that were posted before the main thread was busy', () => {
    const busy = 'const until = performance.now() + 2500; while (performance.now() < until);';
    const wait = 'const before = loader.waitSeconds; await loader.next();';
    const seconds = run(
      `${prelude} await loader.next(); ${busy} ${wait} console.log(loader.waitSeconds - before); await loader.close();`,
    );
    expect(Number(seconds)).toBeLessThan(0.25);
  });
});
