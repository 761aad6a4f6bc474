import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { configYaml, readConfigLeaves } from '../../../src/config/config-yaml.js';
import { parseRecipe } from '../../../src/config/recipe.js';
import { type Origin, resolveConfig } from '../../../src/config/resolve-config.js';
import { ConfigError } from '../../../src/support/errors.js';
import { exampleSchema, smallRecipe } from './schema.js';

test('the stored configuration names the origin of every leaf and is a recipe that gives the same', () => {
  const { config, origins } = resolveConfig(exampleSchema, smallRecipe, ['optimizer.clip=3', 'data.size=32']);
  const text = configYaml(config, origins);
  expect(text).toContain('\n  size: 32 # command line\n  scale: [0.6, 1] # default\n');
  expect(text).toContain('\n  lr: 0.001 # recipe\n');
  expect(text).toContain('\nweights: {} # default\n');
  expect(resolveConfig(exampleSchema, parseRecipe(text, 'config.yaml'), []).config).toEqual(config);
  expect(readConfigLeaves(text).map(({ key, origin }) => [key, origin])).toEqual([...origins]);
});

test.each([
  ['text that looks like something else', ['1e3', 'null', 'true', '~', '', ' a', '# x', 'a: b', '- a', '2026-01-01']],
  ['text with several lines', 'one # two\n  three\n'],
  ['long text', 'word '.repeat(60)],
  ['a long list', Array.from({ length: 60 }, (_, index) => index / 7)],
  ['numbers', [1e-7, 1e21, -0.1, 2 ** 53, Number.POSITIVE_INFINITY]],
  ['sections in lists', [{ a: { b: [] } }, {}]],
  ['null', null],
])('%s survives the round trip with its comment', (_, value) => {
  const config = { before: 1, section: { value }, after: 2 };
  const origins = new Map<string, Origin>([['section.value', 'recipe']]);
  const text = configYaml(config, origins);
  expect(parse(text)).toEqual(config);
  expect(readConfigLeaves(text)[1]).toEqual({ key: 'section.value', value, origin: 'recipe' });
});

const alias = (name: string, of: string) => `${name}: &${name} [${Array(10).fill(`*${of}`)}]\n`;
test.each([
  ['a list in a list in a list', '['.repeat(50_000), /nested more than 100/],
  ['a section in a section', '{a: '.repeat(50_000), /nested more than 100/],
  ['a list in a list on one line', '- '.repeat(50_000), /nested more than 100/],
  ['by indentation', Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}a:\n`).join(''), /nested more than 100/],
  ['an end in a list', 'a: [1, 2', /damaged/],
  ['aliases of aliases', `a: &a [1]\n${[...'bcdefgh'].map((name, i) => alias(name, 'abcdefg'[i]!)).join('')}`, /alias/],
])('a damaged or hostile file is refused: %s', (_, text, words) => {
  expect(() => readConfigLeaves(text)).toThrow(ConfigError);
  expect(() => readConfigLeaves(text)).toThrow(words);
});

test('100 levels are read', () => {
  const text = `a: ${'['.repeat(90)}1${']'.repeat(90)}`;
  expect(JSON.stringify(readConfigLeaves(text)[0]!.value)).toBe(text.slice(3));
});
