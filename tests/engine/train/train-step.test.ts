import { expect, it } from 'vitest';
import { Capi, type CapiBatch } from '../../../src/methods/capi/capi.js';
import { capiRecipe } from '../../../src/methods/capi/capi-config.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { scope, type Tensor } from '../../../src/tensor/tensor.js';
import { trainStep } from '../../../src/train/train-step.js';
import { expectClose } from '../../support/goldens.js';

const config = capiRecipe.parse({
  method: 'capi',
  model: {
    width: 16,
    depth: 2,
    heads: 2,
    patchSize: 8,
    registers: 4,
    predictor: { depth: 1 },
    dropPath: { rate: 0 },
  },
  data: { imageSize: 32 },
  mask: { predict: 0.5 },
  capi: { prototypes: 16, balance: 'pooled' },
  optim: { steps: 10, batchSize: 8, warmupSteps: 2 },
});

function batchAt(capi: Capi, position: number): CapiBatch {
  const images = Uint8Array.from({ length: 4 * 32 * 32 * 3 }, (_, i) => (i * 31 + position * 977) % 251);
  return capi.makeBatch({ images, size: 4 }, position);
}

/** Gradients of a step over parts, without an update. */
function gradientsOf(
  capi: Capi,
  parts: CapiBatch[],
): { gradients: Map<string, Tensor>; losses: Record<string, number> } {
  const gradients = new Map<string, Tensor>();
  const losses = trainStep(capi, parts, 1, {
    measure: false,
    beforeUpdate: () => {
      for (const [name, parameter] of [...capi.student.parameters(), ...capi.clustering.parameters()]) {
        if (parameter.grad) gradients.set(name, ops.clone(parameter.grad));
      }
      return false;
    },
  });
  return { gradients, losses };
}

it('averages losses and gradients over the parts of a batch', () => {
  const capi = new Capi(config);
  scope(() => {
    const [a, b] = [batchAt(capi, 0), batchAt(capi, 4)];
    const [first, second, both] = [gradientsOf(capi, [a]), gradientsOf(capi, [b]), gradientsOf(capi, [a, b])];
    expect(both.gradients.size).toBeGreaterThan(20);
    for (const [name, gradient] of both.gradients) {
      const mean = ops.mul(ops.add(first.gradients.get(name)!, second.gradients.get(name)!), 0.5);
      expectClose(gradient, mean, 1e-5, name);
    }
    for (const name of ['student', 'clustering']) {
      expect(both.losses[name]).toBeCloseTo((first.losses[name]! + second.losses[name]!) / 2, 6);
    }
  });
  capi.dispose();
});

it('changes nothing when the update is refused', () => {
  const capi = new Capi(config);
  scope(() => {
    const before = ops.clone(capi.clustering.layer.weight);
    const batch = batchAt(capi, 0);
    trainStep(capi, [batch], 5, { measure: false, beforeUpdate: () => false });
    expect(capi.clustering.layer.weight.numbers()).toEqual(before.numbers());
    trainStep(capi, [batch], 5, { measure: false });
    expect(capi.clustering.layer.weight.numbers()).not.toEqual(before.numbers());
  });
  capi.dispose();
});
