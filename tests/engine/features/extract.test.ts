import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Loader } from '../../../src/data/loader.js';
import { openDataset } from '../../../src/data/spec.js';
import { colourBaseline } from '../../../src/evals/baseline/colour-baseline.js';
import { extractFeatures } from '../../../src/features/extract.js';
import type { ImageEncoder } from '../../../src/models/encoder.js';
import { normaliseImages } from '../../../src/models/patches.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const scenes = await openDataset('scenes://?split=train&count=7&size=32');
const encoder = colourBaseline(8);
const options = { encoder, dataset: scenes, size: 32, view: 'resize', workers: 1 } as const;

/** An encoder whose features are all one number. */
function constant(width: number, value: number): ImageEncoder {
  const embed: ImageEncoder['embed'] = (images) => ({
    global_BD: ops.full([images.size(0), width], value),
    registers_BRD: ops.full([images.size(0), 0, width], value),
    patches_BYXD: ops.full([images.size(0), 1, 1, width], value),
  });
  return { patchSize: 32, width, depth: 0, embed, dispose: () => {} };
}

describe('extractFeatures', () => {
  it('gives what the encoder gives, image by image, and frees the rest', async () => {
    const before = liveTensors().tensors;
    const kinds = ['global', 'patchMean', 'patches'] as const;
    const seen: number[] = [];
    const features = await extractFeatures({
      ...options,
      kinds,
      pixels: true,
      batchSize: 3,
      onProgress: (done, total) => seen.push(done, total),
    });
    const views = [{ kind: 'resize', size: 32 }] as const;
    const loader = new Loader({
      dataset: scenes,
      views,
      batchSize: 7,
      order: Array(7).keys(),
      seed: 0,
      workers: 1,
      pixels: true,
    });
    const batch = (await loader.next())!;
    await loader.close();
    scope(() => {
      const all = encoder.embed(normaliseImages(Tensor.from(batch.images, [7, 32, 32, 3])));
      expect(features.global_ND!.numbers()).toEqual(all.global_BD.numbers());
      expect(features.patches_NPD!.shape).toEqual([7, 16, 6]);
      expect(features.patches_NPD!.numbers()).toEqual(all.patches_BYXD.numbers());
      const mean = ops.meanDim(ops.flatten(all.patches_BYXD, 1, 2), [1]).numbers();
      features.patchMean_ND!.numbers().forEach((value, i) => {
        expect(value).toBeCloseTo(mean[i]!, 5);
      });
    });
    expect(features.count).toBe(7);
    expect([...features.labels]).toEqual([...batch.labels]);
    expect([...features.pixels!]).toEqual([...batch.pixels!]);
    expect(features.names).toEqual(batch.names);
    expect(seen).toEqual([3, 7, 6, 7, 7, 7]);
    features.dispose();
    expect(liveTensors().tensors).toBe(before);
  });

  it('leaves out images that cannot be read', async () => {
    const folder = temporaryFolder();
    for (let i = 0; i < 6; i++) {
      const background = { r: 40 * i, g: 0, b: 0 };
      const png = await sharp({ create: { width: 32, height: 32, channels: 3, background } })
        .png()
        .toBuffer();
      writeFileSync(join(folder, `${i}.png`), i === 2 ? png.subarray(0, 40) : png);
    }
    const dataset = await openDataset(folder);
    const features = await extractFeatures({ ...options, dataset, kinds: ['patchMean'], batchSize: 4 });
    expect(features.names).toEqual(['0.png', '1.png', '3.png', '4.png', '5.png']);
    expect(features.broken.map(({ name }) => name)).toEqual(['2.png']);
    const reds = features.patchMean_ND!.numbers().filter((_, i) => i % 6 === 0);
    expect(reds).toHaveLength(5);
    reds.forEach((red, i) => {
      expect(red).toBeCloseTo(((40 * [0, 1, 3, 4, 5][i]!) / 255 - 0.485) / 0.229, 4);
    });
    features.dispose();
  });

  it('refuses sizes that patches do not divide', async () => {
    await expect(extractFeatures({ ...options, size: 30, kinds: ['global'] })).rejects.toThrow(/multiple of 8/);
  });

  it('refuses more than memory holds, naming the bytes, and frees what it had', async () => {
    const before = liveTensors().tensors;
    const dataset = { ...scenes, size: 10_000_000 };
    const extracting = extractFeatures({
      ...options,
      dataset,
      encoder: constant(100_000, 1),
      kinds: ['patches'],
      batchSize: 1,
    });
    await expect(extracting).rejects.toMatchObject({
      code: 'MEMORY',
      message: expect.stringContaining('4000000000000 bytes'),
    });
    expect(liveTensors().tensors).toBe(before);
  });

  it('refuses features that are not numbers', async () => {
    const extracting = extractFeatures({ ...options, encoder: constant(4, Number.NaN), kinds: ['global'] });
    await expect(extracting).rejects.toMatchObject({ code: 'NOT_FINITE' });
  });
});
