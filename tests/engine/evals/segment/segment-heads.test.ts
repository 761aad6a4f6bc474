import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../../../src/data/dataset.js';
import { openDataset } from '../../../../src/data/spec.js';
import { colourBaseline } from '../../../../src/evals/baseline/colour-baseline.js';
import { evaluate } from '../../../../src/evals/evaluate.js';
import { ProbeHeads } from '../../../../src/evals/probe/probe-heads.js';
import { labelBlocks } from '../../../../src/evals/segment/label-blocks.js';
import { pixelTargets } from '../../../../src/evals/segment/pixel-targets.js';
import { countPatches, segmentationMetrics } from '../../../../src/evals/segment/segmentation-metrics.js';
import { extractFeatures } from '../../../../src/features/extract.js';
import type { ImageEncoder } from '../../../../src/models/encoder.js';
import { VisionTransformer } from '../../../../src/models/vit.js';
import { vitOptions } from '../../../../src/models/vit-options.js';
import { Generator } from '../../../../src/tensor/generator.js';
import * as ops from '../../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../../src/tensor/tensor.js';
import { expectClose } from '../../../support/goldens.js';

const [IMAGES, WIDTH, SIDE, PATCH, CLASSES, BATCH, STEPS] = [8, 5, 3, 4, 4, 4, 12];
const RATES = [2, 30];
type Numbers = 'features' | 'labels' | 'initial' | 'losses' | 'weight' | 'bias' | 'mious';
const stored = JSON.parse(
  readFileSync(new URL('../../../fixtures/segment-head/steps.json', import.meta.url), 'utf8'),
) as Record<Numbers, number[]>;
const tensor = (name: Numbers, shape: number[]) => Tensor.from(Float32Array.from(stored[name]), shape);

describe('linear heads for pixels', () => {
  // Made by tests/fixtures/segment-head/make_segment_head.py, which enlarges logits and compares pixel by pixel.
  it('train as in PyTorch with BatchNorm2d, 1x1 convolution, nearest upsampling and ignored pixels', () => {
    scope(() => {
      const blocks = labelBlocks(Uint8Array.from(stored.labels), SIDE * PATCH, PATCH);
      const all = tensor('features', [IMAGES, SIDE * SIDE, WIDTH]);
      const pixels = (SIDE * PATCH) ** 2;
      const read = (images: readonly number[]) =>
        new Map([
          ['x', ops.flatten(ops.indexSelect(all, 0, Tensor.from(Int32Array.from(images), [images.length])), 0, 1)],
        ]);
      using generator = new Generator(0);
      const grid = RATES.map((lr) => ({ source: 'x', lr, weightDecay: 0 }));
      const plan = { batchSize: BATCH, steps: STEPS, warmupSteps: 1 };
      const heads = new ProbeHeads({
        ...{ protocol: 'mim', heads: grid, example: read([0]), classes: CLASSES, generator },
        ...plan,
      });
      const initial = tensor('initial', [2, CLASSES, WIDTH]);
      heads.bank('x').load(
        new Map([
          ['weight', initial],
          ['bias', ops.zeros([2, CLASSES], 'float32')],
        ]),
      );
      const names = Uint8Array.of(0, 1, 2, 3);
      for (const [step, expected] of stored.losses.entries()) {
        const images = Array.from({ length: BATCH }, (_, k) => (step * BATCH + k) % IMAGES);
        const labels = Uint8Array.from(
          images.flatMap((image) => [...blocks.subarray(image * pixels, (image + 1) * pixels)]),
        );
        const loss = scope(() => heads.train(read(images), pixelTargets(labels, names, PATCH ** 2), step));
        expect(loss).toBeCloseTo(expected, 5);
      }
      const state = heads.bank('x').state();
      expectClose(state.get('weight')!, tensor('weight', [2, CLASSES, WIDTH]), 1e-4, 'weight');
      expectClose(state.get('bias')!, tensor('bias', [2, CLASSES]), 1e-4, 'bias');
      for (const [head, predicted] of heads.predict(read([...Array(IMAGES).keys()])).entries()) {
        const counts = countPatches(blocks, Uint8Array.from(predicted), IMAGES, new Set([255]));
        expect(segmentationMetrics(counts).miou).toBeCloseTo(stored.mious[head]!, 4);
      }
      heads.dispose();
    });
  });
});

async function scenes(train = 48) {
  return {
    train: await openDataset(`scenes://?split=train&count=${train}&size=32`),
    test: await openDataset('scenes://?split=test&count=32&size=32'),
  };
}

const common = { size: 32, workers: 1, batchSize: 16, resamples: 20 };

/** The pixel accuracy of the class that most test pixels have. */
async function oneClassForAll(encoder: ImageEncoder, dataset: Dataset): Promise<number> {
  const request = { view: 'resize', kinds: ['patches'], pixels: true } as const;
  const features = await extractFeatures({ encoder, dataset, size: common.size, workers: 1, ...request });
  features.dispose();
  const counts = new Uint32Array(256);
  for (const label of features.pixels!) counts[label]!++;
  return (100 * Math.max(...counts)) / features.pixels!.length;
}

describe('eval segment-head', () => {
  it('learns the classes of pixels of scenes from their colours, above one class for all, and repeats itself', async () => {
    const data = await scenes(128);
    const before = liveTensors().tensors;
    const encoder = colourBaseline(8);
    const judge = (epochs: number) =>
      evaluate({ task: 'segment-head', encoder, data, options: { epochs, lr: [0.01, 0.5, 5] }, ...common });
    const [short, long, again] = [await judge(1), await judge(15), await judge(1)];
    const chance = await oneClassForAll(encoder, data.test);
    encoder.dispose();
    expect(long.metrics.pixelAccuracy!).toBeGreaterThan(1.5 * chance);
    expect(long.metrics.miou!).toBeGreaterThan(1.5 * short.metrics.miou!);
    expect(again).toEqual(short);
    expect(long).toMatchObject({
      protocol: { chosenOn: 'val', chosen: { source: 'patches' }, view: 'resize', size: 32 },
      counts: { trainImages: 115, valImages: 13, testImages: 32, heads: 3 },
    });
    expect(liveTensors().tensors).toBe(before);
  });

  it('reads several blocks with and without class token, and can choose on the test images', async () => {
    using generator = new Generator(1);
    const positions = { kind: 'table', rows: 4, columns: 4 } as const;
    const encoder = new VisionTransformer(
      vitOptions({ patchSize: 8, width: 16, depth: 6, heads: 2, positions }),
      generator,
    );
    const options = { steps: 6, lr: [0.1, 1e30], valShare: 0 };
    const result = await evaluate({ task: 'segment-head', encoder, data: await scenes(), options, ...common });
    encoder.dispose();
    expect(result).toMatchObject({ protocol: { chosenOn: 'test', readBlocks: [1, 5] }, counts: { heads: 4 } });
    const { heads } = result.details as { heads: { source: string; lr: number; val: number }[] };
    expect(Math.max(...heads.map(({ val }) => val))).toBe(result.metrics.miou);
    expect([...new Set(heads.map(({ source }) => source))]).toEqual(['patches', 'class_patches']);
  });
});
