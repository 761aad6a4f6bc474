import type { z } from 'zod';
import { ConfigError, UsageError } from '../support/errors.js';
import { describeIssues, describeValue, type Problem, unknownKey } from './problems.js';
import type { RecipeTree } from './recipe.js';
import { jsonSchema, schemasAt } from './schema-keys.js';
import { readYaml } from './yaml-source.js';

/** Where a resolved value came from. */
export type Origin = 'default' | 'recipe' | 'command line';

type Values = Record<string, unknown>;

/** A configuration that holds everything, and the origin of each leaf by its dotted path. Lists are leaves. */
export type ResolvedConfig<T> = { readonly config: T; readonly origins: ReadonlyMap<string, Origin> };

/**
 * Recipe plus `key.path=value` overrides, checked against the schema and completed with its defaults. Values of
 * overrides are YAML scalars or lists; where a key is given twice the last one counts.
 *
 * @throws UsageError if an override is not of the form `key=value`.
 * @throws ConfigError listing all problems at once: unknown keys with the nearest valid one, wrong types, values out of
 *   range, each with its line in the recipe.
 */
export function resolveConfig<S extends z.ZodType>(
  schema: S,
  recipe: RecipeTree,
  overrides: readonly string[],
): ResolvedConfig<z.output<S>> {
  const root = jsonSchema(schema);
  const values = structuredClone(recipe.values) as Values;
  const overridden = new Set<string>();
  const problems: Problem[] = [];
  for (const { path, text } of splitOverrides(overrides)) {
    overridden.add(path.join('.'));
    const read = readValue(text);
    if ('problem' in read) problems.push({ path, text: read.problem });
    else if (schemasAt(root, path).length === 0) problems.push(unknownKey(path, root));
    else assign(values, path, read.value);
  }
  const parsed = schema.safeParse(values);
  if (!parsed.success) problems.push(...describeIssues(parsed.error.issues, values, root));
  if (problems.length > 0) throw configError(problems, recipe, overridden);
  return { config: parsed.data as z.output<S>, origins: originsOf(parsed.data, recipe.values, overridden) };
}

function splitOverrides(overrides: readonly string[]): { path: string[]; text: string }[] {
  const wrong = overrides.filter((override) => !/^[^=.\s]+(\.[^=.\s]+)*=./s.test(override));
  if (wrong.length > 0) {
    throw new UsageError(`expected key.path=value, received ${wrong.map((text) => JSON.stringify(text)).join(', ')}`, {
      hint: 'Write key, equals sign and value without spaces, for example optim.lr=1e-3; key=null clears a value.',
    });
  }
  return overrides.map((override) => {
    const equals = override.indexOf('=');
    return { path: override.slice(0, equals).split('.'), text: override.slice(equals + 1) };
  });
}

function readValue(text: string): { value: unknown } | { problem: string } {
  const { values: value, problems } = readYaml(text);
  if (problems[0]) return { problem: `cannot read ${JSON.stringify(text)}: ${problems[0].message}` };
  if (isSection(value)) return { problem: `expected a single value or a list, received ${describeValue(value)}` };
  return { value };
}

function assign(values: Values, path: readonly string[], value: unknown): void {
  let section = values;
  for (const key of path.slice(0, -1)) {
    const inner = Object.hasOwn(section, key) ? section[key] : undefined;
    const next = isSection(inner) ? inner : {};
    section[key] = next;
    section = next;
  }
  section[path.at(-1)!] = value;
}

function configError(problems: readonly Problem[], recipe: RecipeTree, overridden: ReadonlySet<string>): ConfigError {
  const lines = problems.map((problem) => {
    const path = problem.path.map(String);
    const typed = path.some((_, index) => overridden.has(path.slice(0, index + 1).join('.')));
    const { file, line } = typed ? { file: 'command line', line: undefined } : recipe.place(problem.path);
    const place = line === undefined ? file : `${file}:${line}`;
    const order = typed ? Number.POSITIVE_INFINITY : (line ?? 0);
    return { place, order, text: `${path.join('.') || 'recipe'}: ${problem.text}` };
  });
  // Not a subtraction: Infinity - Infinity is no order.
  lines.sort((a, b) => (a.order === b.order ? 0 : a.order < b.order ? -1 : 1));
  const width = Math.max(...lines.map(({ place }) => place.length));
  const texts = new Set(lines.map(({ place, text }) => `  ${place.padEnd(width)}  ${text}`));
  const count = texts.size === 1 ? '1 problem' : `${texts.size} problems`;
  return new ConfigError(`${count} in the configuration:\n${[...texts].join('\n')}`, {
    hint: 'Correct these and run the command again.',
  });
}

function originsOf(config: unknown, recipe: Values, overridden: ReadonlySet<string>): Map<string, Origin> {
  const origins = new Map<string, Origin>();
  const visit = (value: unknown, path: readonly string[]): void => {
    if (isSection(value) && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key]);
    } else if (value !== undefined) origins.set(path.join('.'), originOf(path, recipe, overridden));
  };
  visit(config, []);
  return origins;
}

function originOf(path: readonly string[], recipe: Values, overridden: ReadonlySet<string>): Origin {
  if (path.some((_, index) => overridden.has(path.slice(0, index + 1).join('.')))) return 'command line';
  let value: unknown = recipe;
  for (const key of path) {
    // A single value of the recipe that the schema turned into a section.
    if (!isSection(value)) return 'recipe';
    if (!Object.hasOwn(value, key)) return 'default';
    value = value[key];
  }
  return 'recipe';
}

function isSection(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
