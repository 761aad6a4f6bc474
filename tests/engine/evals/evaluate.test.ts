import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/spec.js';
import { colourBaseline } from '../../../src/evals/baseline/colour-baseline.js';
import { evaluate } from '../../../src/evals/evaluate.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

/** Folders of plain pictures: red, green and blue, a little different each. */
async function colours(folder: string, split: string, classes: readonly string[], count: number): Promise<void> {
  for (const name of classes) {
    mkdirSync(join(folder, split, name), { recursive: true });
    for (let i = 0; i < count; i++) {
      const dim = split === 'train' ? 5 * i : 5 * i + 2;
      const background = { r: 0, g: 0, b: 0, [name[0]!]: 255 - dim };
      const picture = sharp({ create: { width: 40, height: 32, channels: 3, background } });
      writeFileSync(join(folder, split, name, `${i}.png`), await picture.png().toBuffer());
    }
  }
}

describe('evaluate', () => {
  it('classifies what colours tell apart, and says how', async () => {
    const folder = temporaryFolder();
    await colours(folder, 'train', ['bl', 'gr', 'rd'], 4);
    // Without "bl" the class ids of the test images differ from those of the training images.
    await colours(folder, 'test', ['gr', 'rd'], 3);
    const [train, test] = [await openDataset(join(folder, 'train')), await openDataset(join(folder, 'test'))];
    const before = liveTensors().tensors;
    const encoder = colourBaseline(8);
    const stages = new Set<string>();
    const result = await evaluate({
      task: 'knn',
      encoder,
      floor: encoder,
      data: { train, test },
      size: 32,
      options: { k: [3] },
      resamples: 50,
      workers: 1,
      onProgress: (stage) => stages.add(stage),
    });
    expect(result).toMatchObject({
      task: 'knn',
      metrics: { top1: 100, meanPerClass: 100 },
      intervals: { top1: [100, 100], meanPerClass: [100, 100] },
      floor: { top1: 100, meanPerClass: 100 },
      protocol: { k: 3, temperature: 0.07, pooling: 'patches', view: 'resize-centre-crop', size: 32, seed: 0 },
      counts: { trainImages: 12, testImages: 6, classes: 3, brokenImages: 0 },
    });
    expect([...stages]).toEqual(['train', 'test', 'floor train', 'floor test']);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    expect(liveTensors().tensors).toBe(before);
    const swapped = evaluate({
      task: 'knn',
      encoder,
      data: { train: test, test: train },
      size: 32,
      options: { k: [3] },
      workers: 1,
    });
    await expect(swapped).rejects.toThrow(/found none of bl/);
  });

  it('segments its own training images with one neighbour, and with many has an interval around the result', async () => {
    const scenes = await openDataset('scenes://?split=train&count=6&size=32');
    const own = {
      task: 'segment-knn',
      encoder: colourBaseline(8),
      data: { train: scenes, test: scenes },
      size: 32,
      workers: 1,
    } as const;
    const same = await evaluate({ ...own, options: { k: 1 }, resamples: 20 });
    expect(same.metrics).toEqual({ miou: 100, pixelAccuracy: 100 });
    expect(same.counts).toMatchObject({ trainImages: 6, testPatches: 96, trainPatches: 96 });
    const many = await evaluate({ ...own, options: { k: 20 }, resamples: 200 });
    expect(many.metrics.miou).toBeLessThan(100);
    for (const name of ['miou', 'pixelAccuracy']) {
      const [low, high] = many.intervals[name]!;
      expect(low).toBeLessThan(many.metrics[name]!);
      expect(high).toBeGreaterThan(low);
    }
  });

  it('refuses data without the labels it needs, and sizes that patches do not divide', async () => {
    const folder = temporaryFolder();
    await colours(folder, 'train', ['bl'], 2);
    const plain = await openDataset(join(folder, 'train', 'bl'));
    const common = { encoder: colourBaseline(8), data: { train: plain, test: plain }, size: 32 };
    await expect(evaluate({ task: 'knn', ...common })).rejects.toThrow(/class labels/);
    await expect(evaluate({ task: 'segment-knn', ...common })).rejects.toThrow(/pixel labels/);
    const classes = await openDataset(join(folder, 'train'));
    const data = { train: classes, test: classes };
    await expect(evaluate({ task: 'knn', ...common, data, size: 33 })).rejects.toThrow(/multiple of 8/);
  });
});

describe('colourBaseline', () => {
  it('is the mean colour and place of patches, and the colours of a grid', () => {
    scope(() => {
      const image = Float32Array.from({ length: 3 * 256 }, (_, i) => (i % 16 < 8 ? 1 : -1) * (1 + Math.floor(i / 256)));
      const { patches_BYXD, global_BD, registers_BRD } = colourBaseline(8).embed(Tensor.from(image, [1, 3, 16, 16]));
      expect(patches_BYXD.shape).toEqual([1, 2, 2, 6]);
      expect(ops.select(ops.flatten(patches_BYXD, 0, 2), 0, 1).numbers()).toEqual([-1, -2, -3, -1, 1, 16]);
      expect(global_BD.shape).toEqual([1, 49]);
      expect(global_BD.numbers().slice(0, 9)).toEqual([1, 2, 3, 1, 2, 3, -1, -2, -3]);
      expect(registers_BRD.shape).toEqual([1, 0, 6]);
    });
  });
});
