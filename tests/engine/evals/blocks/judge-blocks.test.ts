import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../../src/data/spec.js';
import { colourBaseline } from '../../../../src/evals/baseline/colour-baseline.js';
import { evaluate } from '../../../../src/evals/evaluate.js';
import type { EmbedOptions, ImageEncoder } from '../../../../src/models/encoder.js';
import { VisionTransformer } from '../../../../src/models/vit.js';
import { vitOptions } from '../../../../src/models/vit-options.js';
import { Generator } from '../../../../src/tensor/generator.js';
import { liveTensors, type Tensor } from '../../../../src/tensor/tensor.js';

const [train, test] = [
  await openDataset('scenes://?split=train&count=24&size=32'),
  await openDataset('scenes://?split=test&count=12&size=32'),
];
const data = { train, test };
const shared = { data, size: 32, resamples: 20, workers: 1, batchSize: 12 };

function transformer(classToken: boolean): VisionTransformer {
  using generator = new Generator(5);
  const sizes = { patchSize: 8, width: 16, depth: 3, heads: 2 };
  return new VisionTransformer(vitOptions({ ...sizes, classToken, positions: { kind: 'computed' } }), generator);
}

/** The encoder, and how many images passed through it. */
function counting(encoder: ImageEncoder): { encoder: ImageEncoder; images: () => number } {
  let images = 0;
  const embed = (batch: Tensor, options?: EmbedOptions) => {
    images += batch.size(0);
    return encoder.embed(batch, options);
  };
  const { patchSize, width, depth } = encoder;
  return { encoder: { patchSize, width, depth, embed, dispose: () => {} }, images: () => images };
}

describe('blocks', () => {
  it('judges every block by classes and pixels in one pass, the last one as eval knn and segment-knn do', async () => {
    const before = liveTensors().tensors;
    using vit = transformer(true);
    const { encoder, images } = counting(vit);
    const found = await evaluate({ ...shared, task: 'blocks', encoder, floor: encoder, options: { segmentK: 5 } });
    // One image more asks whether there is a class token.
    expect(images()).toBe(2 * (24 + 12 + 1));
    expect(found.curve).toMatchObject({ along: 'block', at: [0, 1, 2] });
    expect(found.floorCurve).toEqual(found.curve);
    const { top1, miou } = found.curve!.metrics as Record<'top1' | 'miou', number[]>;
    expect(found.metrics).toMatchObject({
      top1: Math.max(...top1),
      miou: Math.max(...miou),
      top1Last: top1[2],
      miouLast: miou[2],
    });
    expect(found.protocol).toMatchObject({ k: 10, segmentK: 5, pooling: 'class', standardise: true, view: 'resize' });
    expect(found.protocol.best).toEqual({
      top1: top1.indexOf(Math.max(...top1)),
      miou: miou.indexOf(Math.max(...miou)),
    });

    const published = { protocol: 'mim-refiner', view: 'resize' } as const;
    const last = await evaluate({ ...shared, task: 'knn', encoder: vit, options: published });
    expect(last.metrics.top1).toBe(top1[2]);
    expect(last.intervals.top1).toEqual(found.curve!.intervals.top1![2]);
    // No norm follows the last block of this one, whose patches are its output.
    const options = { patchSize: 8, width: 16, depth: 3, heads: 2, positions: { kind: 'computed' } } as const;
    using generator = new Generator(6);
    using plain = new VisionTransformer(vitOptions({ ...options, finalNorm: 'none' }), generator);
    const segmented = await evaluate({ ...shared, task: 'segment-knn', encoder: plain, options: { k: 5 } });
    const blocks = await evaluate({ ...shared, task: 'blocks', encoder: plain, options: { blocks: [2], segmentK: 5 } });
    expect(blocks.metrics.miouLast).toBe(segmented.metrics.miou);
    expect(liveTensors().tensors).toBe(before + liveOf(vit) + liveOf(plain));
  });

  it('tells blocks that are not there, and encoders without blocks', async () => {
    using encoder = transformer(false);
    const wrong = evaluate({ ...shared, task: 'blocks', encoder, options: { blocks: [1, 3] } });
    await expect(wrong).rejects.toThrow('Expected blocks from 0 to 2, received 3.');
    const none = evaluate({ ...shared, task: 'blocks', encoder: colourBaseline(8) });
    await expect(none).rejects.toThrow('this one has none');
  });
});

describe('what stands for an image', () => {
  it('is any pooling of the output or of the last blocks, also at another size', async () => {
    using vit = transformer(true);
    const judge = async (options: Record<string, unknown>, size = 32) =>
      (await evaluate({ ...shared, task: 'knn', size, encoder: vit, options: { k: [3], ...options } })).protocol;
    expect(await judge({ pooling: 'class', layers: 'last' })).toMatchObject({ pooling: 'class', layers: 'last', k: 3 });
    expect(await judge({ protocol: 'capi' }, 48)).toMatchObject({ pooling: 'global', layers: 'output', size: 48 });
    await expect(judge({ layers: 'last-4' })).rejects.toThrow('4 blocks or more');
    await expect(judge({ pooling: 'registers' })).rejects.toThrow('Registers are asked for');
    await expect(judge({ pooling: 'global', layers: 'last' })).rejects.toThrow('patches or class');
  });

  it('gives all numbers of neighbours, of which the first counts, and leaves out too large ones', async () => {
    const encoder = colourBaseline(8);
    const several = await evaluate({ ...shared, task: 'knn', encoder, options: { k: [5, 1, 24, 25] } });
    expect(several.curve!.at).toEqual([5, 1, 24]);
    expect(several.protocol.k).toBe(5);
    const alone = await evaluate({ ...shared, task: 'knn', encoder, options: { k: [1] } });
    expect(alone.curve).toBeUndefined();
    expect(alone.metrics.top1).toBe(several.curve!.metrics.top1![1]);
    // With all neighbours and equal votes the most frequent class wins everywhere.
    const equal = await evaluate({ ...shared, task: 'knn', encoder, options: { k: [24], temperature: 'infinite' } });
    const counts = new Map<number, number>();
    for (let i = 0; i < train.size; i++) counts.set(train.item(i).label!, (counts.get(train.item(i).label!) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const winner = Math.min(...[...counts].filter(([, count]) => count === most).map(([label]) => label));
    const right = Array.from({ length: test.size }, (_, i) => test.item(i).label).filter((label) => label === winner);
    expect(equal.metrics.top1).toBeCloseTo((100 * right.length) / test.size, 9);
    await expect(evaluate({ ...shared, task: 'knn', encoder, options: { k: [25] } })).rejects.toThrow('1 to 24');
  });
});

function liveOf(vit: VisionTransformer): number {
  return vit.state().size;
}
