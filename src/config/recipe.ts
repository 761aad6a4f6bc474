import { readFileSync } from 'node:fs';
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, type Node } from 'yaml';
import { ConfigError, UsageError } from '../support/errors.js';
import { readYaml } from './yaml-source.js';

/** A recipe as it was written: plain values, and the line of every key for messages. */
export type RecipeTree = {
  readonly file: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Line (from 1) of the key at `path`, or of the nearest section around it that the recipe has. */
  readonly line: (path: readonly PropertyKey[]) => number | undefined;
};

/**
 * Reads a recipe: YAML 1.2 with a map at its root. An empty file is an empty recipe.
 *
 * @throws ConfigError listing every syntax error and duplicate key with `file:line`.
 * @throws UsageError if the file cannot be read.
 */
export function readRecipe(path: string): RecipeTree {
  return parseRecipe(readText(path), path);
}

/** The same from text; `file` is the name that messages give. */
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
  return { file, values: recipe, line: (key) => lineOf(document, lines, key) };
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
