import { describe, expect, test } from 'vitest';
import { findRecipe, listRecipes } from '../../../../src/config/find-recipe.js';
import { readRecipe } from '../../../../src/config/recipe.js';
import { resolveConfig } from '../../../../src/config/resolve-config.js';
import { checkRefiner } from '../../../../src/methods/mim-refiner/check-recipe.js';
import { keptHeads, listHeads, lossWeight } from '../../../../src/methods/mim-refiner/head-list.js';
import { refinerRecipe } from '../../../../src/methods/mim-refiner/refiner-config.js';
import { refinerViews } from '../../../../src/methods/mim-refiner/refiner-views.js';
import type { VitOptions } from '../../../../src/models/vit-options.js';

function shipped(name: string) {
  return resolveConfig(refinerRecipe, readRecipe(findRecipe(name)), []).config;
}

// From the configuration files of the released code (commit cc57423): images a step, peak rates with them, epochs of
// refining and steps an epoch, blocks with a head in either stage, temperature, blocks that are frozen.
const [l16, h14] = [
  [22, 21, 20, 19, 18, 17, 16],
  [30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20],
];
const published = {
  'refine-mae-l16': { batch: 1024, epochs: 30, local: 96, trained: ['last', ...l16], kept: ['last', ...l16], t: 0.2 },
  'refine-d2v2-l16': { batch: 1024, epochs: 20, local: 96, trained: ['last', ...l16], kept: ['last', ...l16], t: 0.2 },
  'refine-dbot-l16': {
    ...{ batch: 1024, epochs: 30, local: 96, t: 0.2, tried: [0.2, 0.15, 0.175, 0.225, 0.25] },
    ...{ trained: [...Array(5).fill('last'), ...l16], kept: ['last', ...l16] },
  },
  'refine-crossmae-l16': {
    ...{ batch: 1024, epochs: 30, local: 96, t: 0.2, tried: [0.2, 0.15, 0.175, 0.225, 0.25], pool: 'patches' },
    ...{ trained: [...Array(5).fill('last'), ...l16], kept: ['last', ...l16] },
  },
  'refine-mae-h14': { batch: 512, epochs: 30, local: 98, trained: ['last', ...h14], kept: ['last', ...h14], t: 0.3 },
  'refine-dbot-h14': { batch: 512, epochs: 30, local: 98, trained: ['last', ...h14], kept: ['last', ...h14], t: 0.3 },
  'refine-d2v2-h14': {
    ...{ batch: 512, epochs: 20, local: 98, t: 0.3 },
    ...{ trained: ['last', 31, ...h14], kept: ['last', ...h14] },
  },
  'refine-mae-2b14': {
    ...{ batch: 512, epochs: 20, local: 98, t: 0.35, tried: [0.35, 0.2, 0.25, 0.3, 0.325], frozen: 6 },
    ...{ trained: [...Array(5).fill('last'), ...l16, 15, 14, 13, 12], kept: ['last', ...l16] },
  },
} as const;

describe.each(Object.entries(published))('%s', (name, expected) => {
  const config = shipped(name);
  const { stages, optim, data } = config;
  const perEpoch = Math.floor(1_281_167 / expected.batch);

  test('has the published batch, rates, steps and views', () => {
    expect(optim).toMatchObject({ batchSize: expected.batch, betas: [0.9, 0.95], endLr: 1e-6 });
    expect(stages.heads).toMatchObject({ steps: 20 * perEpoch, warmupSteps: 4 * perEpoch, topK: 1, weightDecay: 1e-5 });
    expect(stages.refine).toMatchObject({ steps: expected.epochs * perEpoch, warmupSteps: 4 * perEpoch, topK: 20 });
    expect(stages.refine).toMatchObject({
      weightDecay: 0.05,
      headWeightDecay: 1e-5,
      layerDecay: 0.65,
      average: 0.9999,
    });
    const scaled = ({ lr }: { lr: number }) => (lr * expected.batch) / 256;
    expect(scaled(stages.heads)).toBeCloseTo(expected.batch === 1024 ? 8e-4 : 4e-4, 12);
    expect(scaled(stages.refine)).toBeCloseTo(expected.batch === 1024 ? 1.6e-3 : 8e-4, 12);
    expect(stages.refine.freezeBlocks).toBe('frozen' in expected ? expected.frozen : 0);
    expect(data).toMatchObject({ imageSize: 224, localViews: 10, localSize: expected.local });
    expect(data).toMatchObject({ globalScale: [0.25, 1], localScale: [0.05, 0.25] });
  });

  test('has the published heads', () => {
    const heads = listHeads(config);
    expect(heads.map(({ block }) => block)).toEqual(expected.trained);
    const onResult = heads.filter(({ block }) => block === 'last').map(({ temperature }) => temperature);
    expect(onResult).toEqual('tried' in expected ? expected.tried : [expected.t]);
    expect(keptHeads(config).map(({ block }) => block)).toEqual(expected.kept);
    for (const { temperature, pool } of keptHeads(config)) {
      expect(temperature).toBe(expected.t);
      expect(pool).toBe('pool' in expected ? expected.pool : 'class');
    }
    expect(config.heads).toMatchObject({ projectorWidth: 2048, predictorWidth: 4096, outputWidth: 256 });
    expect(config.heads).toMatchObject({ queueSize: 65_536, swap: 'nna', localPairs: 'published' });
  });

  test('fits the encoder that it is for', () => {
    const depth = name.endsWith('h14') ? 32 : 24;
    const patchSize = name.endsWith('l16') ? 16 : 14;
    const positions = { kind: 'table', rows: 224 / patchSize, columns: 224 / patchSize, resize: 'bicubic' } as const;
    const encoder = { width: 64, depth, heads: 1, patchSize, classToken: true, positions } as unknown as VitOptions;
    expect(() => checkRefiner(config, encoder)).not.toThrow();
  });
});

// Weights of the losses of the heads on blocks 22 to 16 in an epoch of 20, as the released schedules give them.
test.each([
  ['uniformdecay', 3.99, [1, 1, 1, 1, 1, 1, 1]],
  ['uniformdecay', 12, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]],
  ['staggereddecay', 12, [1, 1, 1, 0.905, 0.75, 0.611, 0.5]],
  ['staggereddecay', 19.999, [0, 0, 0, 0, 0, 0, 0]],
  ['staggeredstep', 9, [1, 1, 1, 1, 0, 0, 0]],
  ['staggeredstep', 15, [1, 0, 0, 0, 0, 0, 0]],
  ['onehot', 1, [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 1]],
  ['onehot', 5, [0.1, 0.1, 0.1, 0.1, 0.1, 1, 0]],
  ['onehot', 15, [1, 0, 0, 0, 0, 0, 0]],
  ['onehot', 17, [0, 0, 0, 0, 0, 0, 0]],
])('the loss weights of %s at epoch %f', (name, epoch, expected) => {
  const config = shipped(`refine-ablations/${name}`);
  const [main, ...heads] = listHeads(config);
  const { steps } = config.stages.refine;
  const at = Math.floor((epoch / 20) * steps);
  expect(lossWeight(main!.weight, at, steps)).toBe(1);
  for (const [i, head] of heads.entries()) expect(lossWeight(head.weight, at, steps)).toBeCloseTo(expected[i]!, 2);
});

test('every ablation is a valid recipe that differs from its base', () => {
  const names = listRecipes().filter((name) => name.startsWith('refine-ablations/'));
  const base = JSON.stringify(shipped('refine-d2v2-l16'));
  expect(names.length).toBeGreaterThanOrEqual(17);
  expect(new Set([base, ...names.map((name) => JSON.stringify(shipped(name)))]).size).toBe(names.length + 1);
});

// zztemplates/datasets/imagenet/train_byolaug_localviews.yaml
test('views are blurred, greyscale and solarized as often as published', () => {
  const views = refinerViews(shipped('refine-mae-h14'));
  const chances = views.map((view) => {
    if (view.kind !== 'random-resized-crop') throw new Error(view.kind);
    const { jitter, blur, greyscale, solarize } = view.augment!;
    const parts = [jitter, blur, greyscale, solarize].map((part) => part?.probability ?? 0);
    return [view.size, ...view.scale, view.flip, ...parts];
  });
  expect(chances).toEqual([
    [224, 0.25, 1, true, 0.8, 1, 0.2, 0],
    [224, 0.25, 1, true, 0.8, 0.1, 0.2, 0.2],
    ...Array(10).fill([98, 0.05, 0.25, true, 0.8, 0.5, 0.2, 0]),
  ]);
  const minimal = refinerViews(shipped('refine-ablations/minaug'));
  for (const view of minimal) expect(view).toMatchObject({ flip: true, augment: {} });
  expect(refinerViews(shipped('refine-ablations/globalviews'))).toHaveLength(2);
});
