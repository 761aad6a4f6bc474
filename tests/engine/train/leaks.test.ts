import { expect, it } from 'vitest';
import { Capi } from '../../../src/methods/capi/capi.js';
import { capiRecipe } from '../../../src/methods/capi/capi-config.js';
import { liveTensors } from '../../../src/tensor/tensor.js';
import { trainStep } from '../../../src/train/train-step.js';

// Resident memory is measured where nothing else runs in the process: tests/e2e/pretrain.test.ts.
it('leaves no tensor behind in a thousand steps, and none at all when it is disposed', () => {
  const config = capiRecipe.parse({
    method: 'capi',
    model: { width: 16, depth: 2, heads: 2, patchSize: 8, registers: 4, predictor: { depth: 1 } },
    data: { imageSize: 32 },
    mask: { predict: 0.5 },
    capi: { prototypes: 16, balance: 'pooled' },
    optim: { steps: 1000, batchSize: 8, warmupSteps: 10 },
  });
  const outside = liveTensors().tensors;
  const capi = new Capi(config);
  const images = new Uint8Array(8 * 32 * 32 * 3).map((_, i) => (i * 31) % 251);
  const seen: { tensors: number; bytes: number }[] = [];
  for (let step = 0; step < 1000; step++) {
    const batch = capi.makeBatch({ images, size: 8 }, step * 8);
    trainStep(capi, [batch], step, { measure: step % 10 === 0 });
    capi.disposeBatch(batch);
    if (step === 50 || step === 999) seen.push({ tensors: liveTensors().tensors, bytes: liveTensors().bytes });
  }
  // Gradients of the last step are still there, and no more than that.
  expect(seen[1]).toEqual(seen[0]);
  capi.dispose();
  expect(liveTensors().tensors).toBe(outside);
});
