import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, type Node } from 'yaml';
import { ConfigError, UsageError } from '../support/errors.js';
import { findRecipe } from './find-recipe.js';
import { readYaml } from './yaml-source.js';

/** Where a key was written: the file, and the line from 1 of the key or of the nearest section around it that there is. */
export type Place = { readonly file: string; readonly line: number | undefined };

/** A recipe as it was written: plain values, and the place of every key for messages. */
export type RecipeTree = {
  readonly file: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly place: (path: readonly PropertyKey[]) => Place;
};

/**
 * Reads a recipe: YAML 1.2 with a map at its root. An empty file is an empty recipe. `extends: NAME` takes everything that
 * the recipe does not say from another one, a file beside it or one that comes with Tessera.
 *
 * @throws ConfigError listing every syntax error and duplicate key with `file:line`; recipes that extend each other.
 * @throws UsageError if a file cannot be read.
 */
export function readRecipe(path: string): RecipeTree {
  return readExtended(path, []);
}

function readExtended(path: string, extending: readonly string[]): RecipeTree {
  const chain = [...extending, path];
  if (extending.some((earlier) => resolve(earlier) === resolve(path)))
    throw new ConfigError(`Recipes must not extend each other: ${chain.join(' extends ')}`, {
      hint: 'Remove one of the extends lines.',
    });
  const recipe = parseRecipe(readText(path), path);
  const { extends: base, ...values } = recipe.values;
  if (base === undefined) return recipe;
  if (typeof base !== 'string')
    throw new ConfigError(`${path}: extends: expected the name or path of a recipe, received ${JSON.stringify(base)}`, {
      hint: 'For example extends: refine-mae-l16.',
    });
  return extendRecipe(readExtended(findBase(base, path), chain), { ...recipe, values });
}

function findBase(name: string, extending: string): string {
  const beside = ['', '.yaml', '.yml'].map((ending) => resolve(dirname(extending), name + ending));
  return beside.find((file) => existsSync(file)) ?? findRecipe(name);
}

/** A recipe with what another one adds or changes: sections are joined, everything else is replaced. */
function extendRecipe(base: RecipeTree, own: RecipeTree): RecipeTree {
  return {
    file: own.file,
    values: joinSections(base.values, own.values),
    place: (path) => (hasKey(own.values, path) || !hasKey(base.values, path) ? own : base).place(path),
  };
}

function joinSections(base: Readonly<Record<string, unknown>>, own: Readonly<Record<string, unknown>>) {
  const joined = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const before = base[key];
    joined[key] = isSection(before) && isSection(value) ? joinSections(before, value) : value;
  }
  return joined;
}

function hasKey(values: unknown, path: readonly PropertyKey[]): boolean {
  const [key, ...rest] = path;
  if (key === undefined) return true;
  return typeof values === 'object' && values !== null && Object.hasOwn(values, key)
    ? hasKey((values as Record<PropertyKey, unknown>)[key], rest)
    : false;
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A recipe that was never a file: its values, under the name that messages give. */
export function recipeInCode(values: RecipeTree['values'], file: string): RecipeTree {
  return { file, values, place: () => ({ file, line: undefined }) };
}

/** A single recipe from text; `file` is the name that messages give. */
export function parseRecipe(text: string, file: string): RecipeTree {
  const lines = new LineCounter();
  const { document, values, problems } = readYaml(text, lines);
  if (problems.length > 0) {
    const texts = problems.map(({ offset, message }) => `  ${file}:${lines.linePos(offset).line}  ${message}`);
    throw new ConfigError(`${file} is not valid YAML:\n${texts.join('\n')}`, {
      hint: 'Correct the lines above and run the command again.',
    });
  }
  if (values !== null && !isMap(document.contents)) {
    const received = isSeq(document.contents) ? 'a list' : 'a single value';
    throw new ConfigError(`${file}: expected keys with values, received ${received}`, {
      hint: 'Write key: value on every line.',
    });
  }
  const recipe = (values ?? {}) as Record<string, unknown>;
  return { file, values: recipe, place: (key) => ({ file, line: lineOf(document, lines, key) }) };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`cannot read the recipe ${path}: ${(cause as Error).message}`, {
      hint: 'Give the path of a YAML file, or the name of a recipe that comes with Tessera.',
      cause,
    });
  }
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (!pair) break;
      offset = offsetOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(key)];
      if (item === undefined) break;
      offset = offsetOf(item) ?? offset;
      node = item;
    } else break;
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
