import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../../../src/data/dataset.js';
import { openDataset } from '../../../../src/data/spec.js';
import { colourBaseline } from '../../../../src/evals/baseline/colour-baseline.js';
import { evaluate } from '../../../../src/evals/evaluate.js';
import type { ImageEncoder } from '../../../../src/models/encoder.js';
import { VisionTransformer } from '../../../../src/models/vit.js';
import { vitOptions } from '../../../../src/models/vit-options.js';
import { Generator } from '../../../../src/tensor/generator.js';
import * as ops from '../../../../src/tensor/ops.generated.js';
import { liveTensors, scope } from '../../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../../support/temporary-folder.js';

/** Folders of plain pictures: red, green and blue, a little different each. */
async function colours(folder: string, classes: readonly string[], count: number): Promise<Dataset> {
  for (const name of classes) {
    mkdirSync(join(folder, name), { recursive: true });
    for (let i = 0; i < count; i++) {
      const background = { r: 0, g: 0, b: 0, [name[0]!]: 255 - 5 * i };
      const picture = sharp({ create: { width: 20, height: 16, channels: 3, background } });
      writeFileSync(join(folder, name, `${i}.png`), await picture.png().toBuffer());
    }
  }
  return await openDataset(folder);
}

async function pictures(): Promise<{ train: Dataset; test: Dataset }> {
  const folder = temporaryFolder();
  return {
    train: await colours(join(folder, 'train'), ['bl', 'gr', 'rd'], 8),
    // Without "bl" the class ids of the test images differ from those of the training images.
    test: await colours(join(folder, 'test'), ['gr', 'rd'], 3),
  };
}

function encoderWithClassToken(): VisionTransformer {
  using generator = new Generator(1);
  const positions = { kind: 'table', rows: 2, columns: 2 } as const;
  return new VisionTransformer(vitOptions({ patchSize: 8, width: 16, depth: 5, heads: 2, positions }), generator);
}

const common = { size: 16, workers: 1, batchSize: 4, resamples: 20 };

describe('eval linear', () => {
  it('tells colours apart with heads on the mean patch, and says how it chose', async () => {
    const data = await pictures();
    const before = liveTensors().tensors;
    const encoder = colourBaseline(8);
    const stages = new Set<string>();
    const notes = new Set<string>();
    const options = { epochs: 30, batch: 8, valShare: 0.25 };
    const result = await evaluate({
      task: 'linear',
      encoder,
      data,
      options,
      ...common,
      onProgress: (stage, _done, _total, _unit, note = '') => {
        stages.add(stage);
        notes.add(note.replace(/[\d.]+/, 'N'));
      },
    });
    encoder.dispose();
    expect(result).toMatchObject({
      metrics: { top1: 100, meanPerClass: 100 },
      intervals: { top1: [100, 100] },
      protocol: { grid: 'mim', chosenOn: 'val', source: expect.stringMatching(/_last1$/) },
      counts: { trainImages: 18, valImages: 6, testImages: 6, brokenImages: 0, classes: 3 },
    });
    const { heads } = result.details as { heads: { val: number; test: number; lr: number; steps: number }[] };
    expect(heads).toHaveLength(result.counts.heads!);
    // The smallest learning rate does not get anywhere in 60 steps, and its best epoch may be any.
    expect(Math.max(...heads.map(({ val }) => val))).toBe(100);
    expect(new Set(heads.map(({ lr }) => lr)).size).toBe(13);
    expect(new Set(heads.map(({ steps }) => steps % 2))).toEqual(new Set([0]));
    expect([...stages]).toEqual(['train', 'val', 'test']);
    expect([...notes].sort()).toEqual(['', 'loss N']);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    expect(liveTensors().tensors).toBe(before);
  });

  it('has 52 heads for an encoder with a class token, repeats itself, and can choose on the test images', async () => {
    const data = await pictures();
    const encoder = encoderWithClassToken();
    const judge = () =>
      evaluate({ task: 'linear', encoder, data, options: { steps: 4, batch: 8, valShare: 0 }, ...common });
    const [first, second] = [await judge(), await judge()];
    expect(second).toEqual(first);
    expect(first.counts).toMatchObject({ heads: 52, trainImages: 24, valImages: 0 });
    expect(first.protocol).toMatchObject({ chosenOn: 'test' });
    const { heads } = first.details as { heads: { source: string; val: number; test: number }[] };
    expect([...new Set(heads.map(({ source }) => source))]).toEqual([
      'cls_last1',
      'cls_last4',
      'cls_avg_patch_last1',
      'cls_avg_patch_last4',
    ]);
    for (const { val, test } of heads) expect(val).toBe(test);
    expect(first.metrics.top1).toBe(Math.max(...heads.map(({ test }) => test)));
    encoder.dispose();
  });

  it('says so where no head has learnt anything finite', async () => {
    const data = await pictures();
    const before = liveTensors().tensors;
    const colours = colourBaseline(8);
    const { patchSize, width, depth } = colours;
    const spoilt: ImageEncoder = {
      ...{ patchSize, width, depth, dispose: () => colours.dispose() },
      embed: (images) =>
        scope(() => {
          const embedding = colours.embed(images);
          return { ...embedding, patches_BYXD: ops.mul(embedding.patches_BYXD, Number.NaN) };
        }),
    };
    const judged = evaluate({ task: 'linear', encoder: spoilt, data, options: { steps: 3, batch: 8 }, ...common });
    await expect(judged).rejects.toThrow(/None of the \d+ heads has finite weights/);
    spoilt.dispose();
    expect(liveTensors().tensors).toBe(before);
  });

  it('leaves broken images out and refuses what it cannot split', async () => {
    const { train, test } = await pictures();
    writeFileSync(test.item(0).image.kind === 'file' ? (test.item(0).image as { path: string }).path : '', 'broken');
    const encoder = colourBaseline(8);
    const judge = (data: { train: Dataset; test: Dataset }, options: { valShare?: number }) =>
      evaluate({ task: 'linear', encoder, data, options: { steps: 2, batch: 4, ...options }, ...common });
    const result = await judge({ train, test }, {});
    expect(result.counts).toMatchObject({ testImages: 5, brokenImages: 1 });
    await expect(judge({ train, test }, { valShare: 0.99 })).rejects.toThrow(/at least 2 images to train on/);
    await expect(judge({ train: test, test: train }, {})).rejects.toThrow(/found none of bl/);
    encoder.dispose();
  });
});

describe('eval attentive', () => {
  it('has the 30 settings of CAPI for every source', async () => {
    const data = await pictures();
    const encoder = encoderWithClassToken();
    const result = await evaluate({ task: 'attentive', encoder, data, options: { steps: 3, batch: 8 }, ...common });
    encoder.dispose();
    expect(result.counts.heads).toBe(120);
    expect(Object.keys(result.metrics)).toEqual([
      'top1',
      'meanPerClass',
      'top1_cls',
      'top1_avg_patch',
      'top1_cls_avg_patch',
      'top1_patch',
    ]);
    const { heads } = result.details as { heads: { lr: number; weightDecay: number }[] };
    expect(new Set(heads.map(({ lr, weightDecay }) => `${lr} ${weightDecay}`)).size).toBe(30);
  });
});
