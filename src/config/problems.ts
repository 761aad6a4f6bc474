import type { z } from 'zod';
import { type JsonSchema, nearestKey, schemasAt } from './schema-keys.js';
import { typeText } from './type-text.js';

type Issue = z.core.$ZodIssue;

/** One thing that is wrong with a configuration: the key and what about it. */
export type Problem = { readonly path: readonly PropertyKey[]; readonly text: string };

/** The issues that zod found in `values`, in the words of this project: expected, received, nearest valid key. */
export function describeIssues(issues: readonly Issue[], values: unknown, root: JsonSchema): Problem[] {
  return issues.flatMap((issue) => describeIssue(issue, values, root));
}

/** The problem of a key that the schema does not have, with the nearest one that it has. */
export function unknownKey(path: readonly PropertyKey[], root: JsonSchema): Problem {
  const nearest = nearestKey(root, path);
  return { path, text: `unknown key${nearest === undefined ? '' : `; did you mean ${nearest}?`}` };
}

/** A value as messages show it: `text "a half"`, `-1`, `a list`, `null`. */
export function describeValue(value: unknown): string {
  if (Array.isArray(value))
    return JSON.stringify(value).length > 60 ? `a list of ${value.length}` : JSON.stringify(value);
  if (typeof value === 'string') return `text ${JSON.stringify(value)}`;
  if (typeof value === 'object' && value !== null) return 'a section of keys';
  return String(value);
}

function describeIssue(issue: Issue, values: unknown, root: JsonSchema): Problem[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], root));
  const value = valueAt(values, path);
  if (issue.code === 'invalid_union' && typeof value === 'object' && value !== null) {
    const inner = nearestBranch(issue.errors);
    if (inner) return inner.flatMap((part) => describeIssue({ ...part, path: [...path, ...part.path] }, values, root));
  }
  // A rule over several keys says in its own words what it expects.
  if (issue.code === 'custom') return [{ path, text: issue.message }];
  const expected = typeText(schemasAt(root, path));
  const rule = expected === undefined ? issue.message : `expected ${expected}`;
  if (value === undefined) return [{ path, text: `missing; ${rule}` }];
  const unquoted = expected === 'text' && typeof value !== 'object';
  const quotes = unquoted ? ` (in quotes it is text: "${value}")` : '';
  return [{ path, text: `${rule}, received ${describeValue(value)}${quotes}` }];
}

/** Of the alternatives of a union, the one that a section of keys came nearest to, if it is a section at all. */
function nearestBranch(alternatives: readonly Issue[][]): Issue[] | undefined {
  return alternatives
    .filter((issues) => !issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0))
    .sort((a, b) => a.length - b.length)[0];
}

function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  let value = values;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}
