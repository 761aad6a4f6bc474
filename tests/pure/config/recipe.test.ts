import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findRecipe, listRecipes } from '../../../src/config/find-recipe.js';
import { parseRecipe, readRecipe } from '../../../src/config/recipe.js';
import { UsageError } from '../../../src/support/errors.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

test('every syntax error has its line', () => {
  expect(() => parseRecipe('a: 1\na: 2\nb: *nowhere\n', 'bad.yaml')).toThrow(
    /^bad.yaml is not valid YAML:\n {2}bad.yaml:2 {2}Map keys must be unique\n {2}bad.yaml:3 {2}\*nowhere refers to no anchor before it$/,
  );
  expect(() => parseRecipe('- a\n', 'bad.yaml')).toThrow('bad.yaml: expected keys with values, received a list');
});

test('an empty recipe is an empty recipe', () => {
  expect(parseRecipe('# nothing yet\n', 'empty.yaml').values).toEqual({});
});

test('lines are those of keys, or of the nearest section around a missing one', () => {
  const recipe = parseRecipe('a:\n  b:\n    - 1\n    - 2\n', 'r.yaml');
  expect(recipe.place(['a'])).toEqual({ file: 'r.yaml', line: 1 });
  expect(recipe.place(['a', 'b']).line).toBe(2);
  expect(recipe.place(['a', 'b', 1]).line).toBe(4);
  expect(recipe.place(['a', 'c', 'd']).line).toBe(1);
  expect(recipe.place(['x']).line).toBeUndefined();
});

test('a recipe that extends another joins sections and replaces values and lists', () => {
  const folder = temporaryFolder();
  const [base, own] = [join(folder, 'base.yaml'), join(folder, 'own.yaml')];
  writeFileSync(base, 'a: 1\ns:\n  x: 1\n  list: [1, 2]\n');
  writeFileSync(own, 'extends: base\ns:\n  list: [3]\n  y: 2\n');
  const recipe = readRecipe(own);
  expect(recipe.values).toEqual({ a: 1, s: { x: 1, list: [3], y: 2 } });
  expect(recipe.file).toBe(own);
  expect(recipe.place(['s', 'list'])).toEqual({ file: own, line: 3 });
  expect(recipe.place(['s', 'x'])).toEqual({ file: base, line: 3 });
  expect(recipe.place(['missing'])).toEqual({ file: own, line: undefined });
});

test('what a recipe extends has to exist and not to extend it', () => {
  const folder = temporaryFolder();
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const one = file('one.yaml', 'extends: two.yaml\n');
  file('two.yaml', 'extends: one\n');
  expect(() => readRecipe(one)).toThrow(/^Recipes must not extend each other: .*one.yaml extends .*two.yaml extends/);
  expect(() => readRecipe(file('three.yaml', 'extends: refine-mae-l61\n'))).toThrow('did you mean refine-mae-l16?');
  expect(() => readRecipe(file('four.yaml', 'extends: [a]\n'))).toThrow(
    'extends: expected the name or path of a recipe',
  );
});

test('a recipe is found by path or by the name of a shipped one', () => {
  const shipped = temporaryFolder();
  writeFileSync(join(shipped, 'capi-small.yaml'), 'a: 1\n');
  writeFileSync(join(shipped, 'capi-large.yaml'), 'a: 2\n');
  expect(listRecipes(shipped)).toEqual(['capi-large', 'capi-small']);
  expect(readRecipe(findRecipe('capi-small', shipped)).values).toEqual({ a: 1 });
  expect(findRecipe(join(shipped, 'capi-large.yaml'), shipped)).toBe(join(shipped, 'capi-large.yaml'));
});

test('a recipe that is not there is refused with those that are and the nearest', () => {
  const shipped = temporaryFolder();
  writeFileSync(join(shipped, 'capi-small.yaml'), '');
  const near = () => findRecipe('capi-smal', shipped);
  expect(near).toThrow(UsageError);
  expect(near).toThrow('expected the path of a YAML file or one of: capi-small; did you mean capi-small?');
  expect(() => findRecipe(join(shipped, 'capi-smal.yaml'), shipped)).toThrow(
    `did you mean ${join(shipped, 'capi-small.yaml')}?`,
  );
  expect(() => findRecipe('../secret', join(shipped, 'sub'))).toThrow(UsageError);
  expect(() => readRecipe(join(shipped, 'none.yaml'))).toThrow(/cannot read the recipe .*none.yaml/);
});
