import { expect, test } from 'vitest';
import { findRecipe, listRecipes } from '../../../../src/config/find-recipe.js';
import { readRecipe } from '../../../../src/config/recipe.js';
import { resolveConfig } from '../../../../src/config/resolve-config.js';
import { type CapiConfig, capiNetwork, capiRecipe } from '../../../../src/methods/capi/capi-config.js';

const shipped = (name: string) => resolveConfig(capiRecipe, readRecipe(findRecipe(name)), []).config;

/** Values by their paths. */
function leaves(value: unknown, path = ''): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { [path]: value };
  const inner = Object.entries(value).map(([key, each]) => leaves(each, path === '' ? key : `${path}.${key}`));
  return Object.assign({}, ...inner) as Record<string, unknown>;
}

function changes(config: CapiConfig, base: CapiConfig): Record<string, unknown> {
  const before = leaves(base);
  const now = Object.entries(leaves(config));
  return Object.fromEntries(now.filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key])));
}

// Tables 1 and 8 of the paper: what each run changes.
const kind = 'model.predictor.kind';
const compared: Record<string, Record<string, unknown>> = {
  fused: { [kind]: 'fused', 'mask.predict': 1 },
  'self-attention': { [kind]: 'self', 'mask.predict': 1 },
  'learned-positions': { 'model.positions': 'learned' },
  'i-jepa': { 'capi.loss': 'i-jepa' },
  ibot: { 'capi.loss': 'ibot', 'capi.head': 'mlp' },
  'mlp-head': { 'capi.head': 'mlp' },
  'standard-sinkhorn-knopp': { 'capi.balance': 'pooled' },
  'random-mask': { 'mask.kind': 'uniform', 'mask.roll': false, 'mask.ratio': 0.9 },
  'block-mask': { 'mask.kind': 'block', 'mask.roll': false },
  'inverse-block-mask': { 'mask.roll': false },
  'predictor-5x1536': predictor(5, 1536),
  'predictor-21x768': predictor(21, 768),
  'no-registers': { 'model.registers': 0 },
  'crop-100': { 'data.cropScale': [1, 1] },
  'crop-20-100': { 'data.cropScale': [0.2, 1] },
  'mask-55': { 'mask.ratio': 0.55 },
  'mask-75': { 'mask.ratio': 0.75 },
  ...Object.fromEntries([1024, 2048, 4096, 8192, 32768].map((k) => [`prototypes-${k}`, { 'capi.prototypes': k }])),
  'steps-25k': { 'optim.steps': 25_000, 'optim.warmupSteps': 2500 },
  'steps-50k': { 'optim.steps': 50_000, 'optim.warmupSteps': 5000 },
  'steps-200k': { 'optim.steps': 200_000, 'optim.warmupSteps': 20_000 },
};

function predictor(depth: number, width: number): Record<string, unknown> {
  const [d, w, h] = ['depth', 'width', 'heads'].map((key) => `model.predictor.${key}`) as [string, string, string];
  return { [d]: depth, [w]: width, [h]: width / 64 };
}

test('the ablations of CAPI change what the paper says, and nothing else', () => {
  const base = shipped('capi-ablations/base');
  expect(changes(base, shipped('capi-vitl14-in22k'))).toEqual({
    ...{ 'model.patchSize': 16, 'capi.lr': 1e-3, 'optim.lr': 2e-3, 'optim.momentum': 0.996 },
    ...{ 'optim.steps': 100_000, 'optim.warmupSteps': 10_000 },
  });
  const names = listRecipes().filter((name) => name.startsWith('capi-ablations/') && !name.endsWith('/base'));
  expect(names).toEqual(
    Object.keys(compared)
      .map((name) => `capi-ablations/${name}`)
      .sort(),
  );
  for (const [name, expected] of Object.entries(compared)) {
    const config = shipped(`capi-ablations/${name}`);
    expect(changes(config, base), name).toEqual(expected);
    const published = !/fused|self|learned/.test(name);
    expect(capiNetwork(config).kind === 'published', name).toBe(published);
  }
});
