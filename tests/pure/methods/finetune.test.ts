import { describe, expect, it, test } from 'vitest';
import { findRecipe, listRecipes } from '../../../src/config/find-recipe.js';
import { readRecipe } from '../../../src/config/recipe.js';
import { resolveConfig } from '../../../src/config/resolve-config.js';
import { checkFinetune } from '../../../src/methods/finetune/check-finetune.js';
import { finetuneRecipe } from '../../../src/methods/finetune/finetune-config.js';
import type { VitOptions } from '../../../src/models/vit-options.js';
import { layerwiseRate } from '../../../src/optim/layerwise-decay.js';

function shipped(name: string) {
  return resolveConfig(finetuneRecipe, readRecipe(findRecipe(name)), []).config;
}

// From the configuration files of the released code (commit cc57423, yamls/eval): images a step, learning rate for 256
// images, weight decay, dropped paths; whether images are mixed and erased; operations of RandAugment.
const published = {
  'finetune-l16': { batch: 1024, lr: 1e-3, decay: 0.05, drop: 0.2, mixed: true, operations: 2 },
  'finetune-h14': { batch: 1024, lr: 1e-3, decay: 0.05, drop: 0.3, mixed: true, operations: 2 },
  'finetune-1percent-l16': { batch: 512, lr: 3e-5, decay: 0.05, drop: 0, mixed: false, operations: 0 },
  'finetune-1percent-h14': { batch: 512, lr: 3e-5, decay: 0.4, drop: 0, mixed: false, operations: 0 },
  'finetune-10percent-l16': { batch: 512, lr: 3e-5, decay: 0.05, drop: 0, mixed: false, operations: 2 },
  'finetune-10percent-h14': { batch: 256, lr: 1e-3, decay: 0.05, drop: 0.2, mixed: true, operations: 2 },
  'finetune-lowshot-l16': { batch: 250, lr: 1e-4, decay: 0.05, drop: 0, mixed: false, operations: 0 },
} as const;

describe.each(Object.entries(published))('%s', (name, expected) => {
  test('has the published values', () => {
    const { data, mix, model, optim } = shipped(name);
    expect(optim).toMatchObject({ batchSize: expected.batch, lr: expected.lr, weightDecay: expected.decay });
    expect(optim).toMatchObject({ epochs: 50, warmupEpochs: 5, endLr: 0, layerDecay: 0.75, betas: [0.9, 0.999] });
    expect(model).toMatchObject({ dropPath: expected.drop, freezeBlocks: 0 });
    expect(data).toMatchObject({ imageSize: 224, cropScale: [0.08, 1], flip: true, erase: expected.mixed ? 0.25 : 0 });
    expect(data.randAugment).toEqual({ operations: expected.operations, magnitude: 9, deviation: 0.5 });
    const alphas = expected.mixed ? { mixup: 0.8, cutmix: 1 } : { mixup: 0, cutmix: 0 };
    expect(mix).toEqual({ ...alphas, labelSmoothing: 0.1 });
  });
});

it('reads every recipe that is shipped', () => {
  const names = listRecipes().filter((name) => name.startsWith('finetune'));
  expect(names).toEqual([...Object.keys(published), 'finetune-tiny-cpu'].sort());
  for (const name of names) expect(shipped(name).method).toBe('finetune');
});

describe('what does not fit', () => {
  const encoder = { patchSize: 16, depth: 4, classToken: false, positions: { kind: 'computed' } } as VitOptions;
  const config = (values: object) => finetuneRecipe.parse({ method: 'finetune', ...values });

  it('is said all at once', () => {
    const wrong = config({
      data: { imageSize: 100, cropScale: [0.5, 0.2] },
      model: { pool: 'class', freezeBlocks: 5 },
      optim: { epochs: 3, warmupEpochs: 4, batchSize: 30, accumulate: 4 },
    });
    let text = '';
    try {
      checkFinetune(wrong, encoder, 20);
    } catch (error) {
      text = String(error);
    }
    for (const part of [
      'data.imageSize: expected a multiple of the encoder’s patch size 16, received 100; the nearest is 96',
      'data.cropScale: expected the smaller share first, received [0.5,0.2]',
      'model.pool: expected patches, as this encoder has no class token, received class',
      'model.freezeBlocks: expected at most the encoder’s 4 blocks, received 5',
      'optim.warmupEpochs: expected at most optim.epochs 3, received 4',
      'optim.batchSize: expected at most the 20 training images, received 30',
      'optim.accumulate: expected a divisor of optim.batchSize 30, received 4',
    ])
      expect(text).toContain(part);
  });

  it('is an image size that an encoder with relative positions does not take', () => {
    const relative = { ...encoder, positions: { kind: 'relative', rows: 14, columns: 14 } } as VitOptions;
    const of = (imageSize: number) => config({ data: { imageSize }, optim: { batchSize: 2 } });
    expect(() => checkFinetune(of(192), relative, 20)).toThrow('expected 224, the only size');
    expect(() => checkFinetune(of(224), relative, 20)).not.toThrow();
  });
});

it('lowers learning rates from block to block as published', () => {
  const rate = layerwiseRate(24, 0.75);
  expect(rate('norm.weight')).toBe(1);
  expect(rate('blocks.23.mlp.fc1.weight')).toBeCloseTo(0.75, 12);
  expect(rate('blocks.0.norm1.weight')).toBeCloseTo(0.75 ** 24, 12);
  expect(rate('positions.table')).toBeCloseTo(0.75 ** 25, 12);
});
