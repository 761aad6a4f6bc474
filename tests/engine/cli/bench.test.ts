import { describe, expect, it } from 'vitest';
import { benchLoader } from '../../../src/cli/actions/bench-loader.js';
import { benchOps } from '../../../src/cli/actions/bench-ops.js';
import { benchStep } from '../../../src/cli/actions/bench-step.js';
import { capiRecipe } from '../../../src/methods/capi/capi-config.js';
import { productFlops, stepProducts } from '../../../src/methods/capi/step-products.js';
import { UsageError } from '../../../src/support/errors.js';
import { liveTensors } from '../../../src/tensor/tensor.js';

const step = { preset: 'tiny', batch: 2, image: 32, threads: 1, steps: 1, precision: undefined, device: undefined };

describe('bench', () => {
  it('step: tells time, limit and work, and leaves no tensor behind', async () => {
    const before = liveTensors().tensors;
    const { json, card } = await benchStep({ ...step, vs: undefined });
    const { limitMs, stepMsMedian, mfu } = json as { limitMs: number; stepMsMedian: number; mfu: number };
    expect(limitMs).toBeGreaterThan(0);
    expect(limitMs).toBeLessThan(stepMsMedian);
    expect(mfu).toBeGreaterThan(0);
    expect(card).toMatch(/products alone/);
    expect(liveTensors().tensors).toBe(before);
    await expect(benchStep({ ...step, preset: 'tinny', vs: undefined })).rejects.toThrow(UsageError);
  });

  it('ops: operators and overhead make up the step', async () => {
    const found = (await benchOps(step)).json as {
      stepMs: number;
      overheadMs: number;
      operators: { name: string; calls: number; ms: number }[];
    };
    const calls = Object.fromEntries(found.operators.map(({ name, calls }) => [name, calls]));
    // Self-attention of twelve blocks twice, and four blocks that attend to their output.
    expect(calls['tessera::attention']).toBe(12 + 12 + 4);
    expect(calls['tessera::online_clustering']).toBe(1);
    const sum = found.operators.reduce((total, { ms }) => total + ms, 0);
    expect(sum + found.overheadMs).toBeCloseTo(found.stepMs, 6);
  });

  it('loader: counts the images of whole batches', async () => {
    const options = { data: 'scenes://?count=8&size=32', size: 16, batch: 4, workers: 1, images: 9 };
    const { json } = await benchLoader(options);
    const { imagesPerSecond, seconds } = json as { imagesPerSecond: number; seconds: number };
    expect(imagesPerSecond * seconds).toBeCloseTo(8, 6);
    expect((await benchLoader({ ...options, cache: 'memory' })).json).toMatchObject({ cachedBytes: 8 * 32 * 32 * 3 });
  });

  it('counts products as the formulas of a transformer do', () => {
    const config = capiRecipe.parse({
      method: 'capi',
      model: {
        width: 64,
        depth: 2,
        heads: 2,
        patchSize: 8,
        predictor: { depth: 1 },
        registers: 0,
        dropPath: { rate: 0 },
      },
      data: { imageSize: 32 },
      mask: { kind: 'uniform', ratio: 0.5, predict: 0.5 },
      capi: { prototypes: 32 },
      optim: { batchSize: 3 },
    });
    // Multiply-adds of a block over n tokens of width d: 12·n·d² in layers, 2·n²·d in attention.
    const block = (n: number) => 12 * n * 64 ** 2 + 2 * n ** 2 * 64;
    const [embed, visible, predicted] = [64 * 3 * 8 ** 2, 8, 4];
    const teacher = 16 * embed + 2 * block(16) + 2 * 16 * 64 * 32;
    const cross = 10 * predicted * 64 ** 2 + 2 * visible * 64 ** 2 + 2 * predicted * visible * 64;
    const student = 2 * visible * embed + 3 * (2 * block(visible) + cross + predicted * 64 * 32);
    expect(productFlops(stepProducts(config))).toBe(2 * 3 * (teacher + student));
  });
});
