import { describe, expect, it } from 'vitest';
import { Capi } from '../../../src/methods/capi/capi.js';
import { capiRecipe } from '../../../src/methods/capi/capi-config.js';
import { Mae } from '../../../src/methods/mae/mae.js';
import { maeRecipe } from '../../../src/methods/mae/mae-config.js';
import { MimRefiner } from '../../../src/methods/mim-refiner/mim-refiner.js';
import { refinerRecipe } from '../../../src/methods/mim-refiner/refiner-config.js';
import { vitOptions } from '../../../src/models/vit-options.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { scope, Tensor } from '../../../src/tensor/tensor.js';
import type { Method } from '../../../src/train/method.js';
import { trainStep } from '../../../src/train/train-step.js';

type Precision = 'float32' | 'bfloat16';

const sizes = { width: 32, depth: 2, heads: 2, patchSize: 8 };
const data = { imageSize: 32 };
const batchSize = 4;

const methods: Record<string, (precision: Precision) => Method<unknown>> = {
  capi: (precision) =>
    new Capi(
      capiRecipe.parse({
        method: 'capi',
        model: { ...sizes, registers: 4, predictor: { depth: 1 }, dropPath: { rate: 0.3 } },
        data,
        mask: { predict: 0.5 },
        capi: { prototypes: 16 },
        optim: { steps: 10, warmupSteps: 1, batchSize, precision },
      }),
    ),
  mae: (precision) =>
    new Mae(
      maeRecipe.parse({
        method: 'mae',
        model: { ...sizes, decoder: { width: 16, depth: 1, heads: 2 } },
        data,
        optim: { batchSize, precision },
      }),
    ),
  'mim-refiner': (precision) => {
    const stage = { steps: 10, warmupSteps: 1, lr: 1e-3, topK: 3 };
    const config = refinerRecipe.parse({
      method: 'mim-refiner',
      data: { imageSize: 32, localViews: 2, localSize: 16 },
      heads: { on: ['last'], projectorWidth: 24, predictorWidth: 24, outputWidth: 12, queueSize: 15, swap: 'no-swap' },
      stages: { heads: stage, refine: stage },
      optim: { batchSize, precision },
    });
    const positions = { kind: 'table', rows: 4, columns: 4 } as const;
    return new MimRefiner(config, { encoder: { kind: 'vit', ...vitOptions({ ...sizes, positions }) } });
  },
};

function firstLosses(make: (precision: Precision) => Method<unknown>, precision: Precision): number[] {
  const method = make(precision);
  const bytes = batchSize * method.views.reduce((sum, { size }) => sum + size * size * 3, 0);
  const offsets = method.views.map((_, i) => method.views.slice(0, i).reduce((sum, v) => sum + v.size ** 2 * 3, 0));
  const images = Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 7) * 977) % 251);
  const batch = method.makeBatch(
    {
      ...{ images, size: batchSize, viewSizes: method.views.map(({ size }) => size), viewOffsets: offsets },
      ...{ sampleBytes: bytes / batchSize, indices: new Int32Array([0, 1, 2, 3]), labels: new Int32Array(batchSize) },
      ...{ asked: new Int32Array([0, 1, 2, 3]), names: ['a', 'b', 'c', 'd'] },
    },
    0,
  );
  const losses = [1, 2, 3].map((step) => trainStep(method, [batch], step, { measure: false })[method.mainLoss]!);
  method.disposeBatch(batch);
  for (const part of method.state().values())
    for (const tensor of part.values()) expect(tensor.dtype).not.toBe('bfloat16');
  method.dispose();
  return losses;
}

describe.each(Object.keys(methods))('%s with products in bfloat16', (name) => {
  it('trains almost as in float32, and leaves float32 behind', () => {
    const [exact, mixed] = [firstLosses(methods[name]!, 'float32'), firstLosses(methods[name]!, 'bfloat16')];
    for (const [step, loss] of mixed.entries()) {
      expect(loss).not.toBe(exact[step]);
      expect(Math.abs(loss / exact[step]! - 1)).toBeLessThan(0.01);
    }
    scope(() => {
      const ones = Tensor.from(new Float32Array(4).fill(1), [2, 2]);
      expect(ops.matmul(ones, ones).dtype).toBe('float32');
    });
  });
});
