import { expect, test } from 'vitest';
import { z } from 'zod';
import { parseRecipe } from '../../../src/config/recipe.js';
import { resolveConfig } from '../../../src/config/resolve-config.js';
import { ConfigError, UsageError } from '../../../src/support/errors.js';
import { exampleSchema, smallRecipe } from './schema.js';

function failure(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('defaults, recipe and command line are merged, and every leaf knows where it came from', () => {
  const overrides = ['data.scale=[0.2, 0.9]', 'optimizer.clip=3', 'weights.a=1', 'stages=[{at: 1, lr: 2}]'];
  const { config, origins } = resolveConfig(exampleSchema, smallRecipe, overrides);
  expect(config).toEqual({
    method: 'capi',
    data: { size: 224, scale: [0.2, 0.9] },
    masking: { kind: 'block', ratio: 0.65 },
    optimizer: { lr: 0.001, clip: 3, schedule: 'cosine' },
    weights: { a: 1 },
    amp: 'auto',
    stages: [{ at: 1, lr: 2 }],
  });
  expect(Object.fromEntries(origins)).toEqual({
    method: 'recipe',
    'data.size': 'default',
    'data.scale': 'command line',
    'masking.kind': 'default',
    'masking.ratio': 'default',
    'optimizer.lr': 'recipe',
    'optimizer.clip': 'command line',
    'optimizer.schedule': 'default',
    'weights.a': 'command line',
    amp: 'default',
    stages: 'command line',
  });
});

test('the recipe itself is not changed by overrides', () => {
  resolveConfig(exampleSchema, smallRecipe, ['optimizer.lr=5']);
  expect(smallRecipe.values).toEqual({ method: 'capi', optimizer: { lr: 0.001 } });
});

test('all problems of recipe and command line are told at once, with line and nearest key', () => {
  const recipe = parseRecipe(
    `# mine
method: capi
data:
  sise: 200
  scale: [0.1]
masking:
  kind: block
  ratio: 2
optimizer:
  lr: fast
  schedule: cosin
ratio: 3
stages:
  - {at: 1.5, lx: 2}
`,
    'my.yaml',
  );
  const overrides = ['optimiser.lr=3', 'data.size=7', 'amp=maybe', 'lr=3', 'optimizer.clip=[1', 'note=3'];
  const error = failure(() => resolveConfig(exampleSchema, recipe, overrides));
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).exitCode).toBe(2);
  const [first, ...lines] = (error as ConfigError).message.split('\n');
  expect(first).toBe('15 problems in the configuration:');
  expect(lines).toEqual([
    '  my.yaml:4     data.sise: unknown key; did you mean data.size?',
    '  my.yaml:5     data.scale: expected list of 2, each number in [0, 1], received [0.1]',
    '  my.yaml:8     masking.ratio: expected number in (0, 1), received 2',
    '  my.yaml:10    optimizer.lr: expected number > 0, received text "fast"',
    '  my.yaml:11    optimizer.schedule: expected one of cosine, linear, received text "cosin"',
    '  my.yaml:12    ratio: unknown key; did you mean masking.ratio?',
    '  my.yaml:14    stages.0.at: expected integer, received 1.5',
    '  my.yaml:14    stages.0.lr: missing; expected number',
    '  my.yaml:14    stages.0.lx: unknown key; did you mean stages.0.lr?',
    '  command line  optimiser.lr: unknown key; did you mean optimizer.lr?',
    '  command line  lr: unknown key; did you mean optimizer.lr?',
    '  command line  optimizer.clip: cannot read "[1": Flow sequence must end with a ]',
    '  command line  data.size: expected integer ≥ 16, a multiple of 2, received 7',
    '  command line  note: expected text, received 3 (in quotes it is text: "3")',
    '  command line  amp: expected true or false or auto, received text "maybe"',
  ]);
});

test.each([
  ['masking.kind=blok', 'masking.kind: expected one of block, random, received text "blok"'],
  ['masking.kind=random', 'masking.count: missing; expected integer'],
  ['optimizer=3', 'optimizer: expected section of keys, received 3'],
  ['weights={a: 1}', 'weights: expected a single value or a list, received a section of keys'],
  ['__proto__.polluted=1', '__proto__.polluted: unknown key'],
  ['data.constructor=1', 'data.constructor: unknown key'],
  ['optimizer.lr=null', 'optimizer.lr: expected number > 0, received null'],
  ['optimizer.lr.peak=1', 'optimizer.lr.peak: unknown key'],
  ['note=*x', 'note: cannot read "*x": *x refers to no anchor before it'],
  ['optimizer.lr=.inf', 'optimizer.lr: expected number > 0, received Infinity'],
])('the override %s is refused: %s', (override, text) => {
  expect((failure(() => resolveConfig(exampleSchema, smallRecipe, [override])) as Error).message).toContain(text);
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});

test('overrides that are not key=value are wrong usage, all of them at once', () => {
  const error = failure(() => resolveConfig(exampleSchema, smallRecipe, ['lr', 'a=', 'amp=true', '=3', 'a..b=1']));
  expect(error).toBeInstanceOf(UsageError);
  expect((error as UsageError).message).toBe('expected key.path=value, received "lr", "a=", "=3", "a..b=1"');
});

test('the last of two overrides of one key counts, and text may hold equals signs', () => {
  const { config } = resolveConfig(exampleSchema, smallRecipe, ['note=a', 'note=x=y://?b=c&d=#5']);
  expect(config.note).toBe('x=y://?b=c&d=#5');
});

test('a rule over several keys speaks in its own words, at its key', () => {
  const schema = z
    .strictObject({ low: z.number(), high: z.number() })
    .refine(({ low, high }) => low < high, { path: ['high'], message: 'expected more than low' });
  const recipe = parseRecipe('low: 2\nhigh: 1\n', 'r.yaml');
  expect((failure(() => resolveConfig(schema, recipe, [])) as Error).message).toContain(
    'r.yaml:2  high: expected more than low',
  );
});
