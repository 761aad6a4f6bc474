import { z } from 'zod';
import { editDistance, nearestName } from '../support/nearest-name.js';

/** The part of JSON Schema that zod writes for the schemas of recipes. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * JSON Schema of what a recipe may contain, for editors (`# yaml-language-server: $schema=…`) and the source of the
 * option tables: defaults, ranges and descriptions come along.
 */
export function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

/** The schemas that may describe the value at a path: several where the path runs through a union, none if unknown. */
export function schemasAt(root: JsonSchema, path: readonly PropertyKey[]): JsonSchema[] {
  let nodes = [root];
  for (const key of path) nodes = nodes.flatMap((node) => branches(node).flatMap((branch) => child(branch, key)));
  return nodes;
}

/** The keys of the sections that may stand at a path, in the order of the schema. */
function keysAt(root: JsonSchema, path: readonly PropertyKey[]): string[] {
  const sections = schemasAt(root, path).flatMap(branches);
  return [...new Set(sections.flatMap((section) => Object.keys(section.properties ?? {})))];
}

/** Every key of the schema with its full dotted path: sections and values, depth first. */
function allKeys(root: JsonSchema, path: readonly string[] = []): string[] {
  return keysAt(root, path).flatMap((key) => {
    const full = [...path, key];
    return [full.join('.'), ...allKeys(root, full)];
  });
}

/**
 * The valid key that an unknown one was probably meant to be: the nearest sibling, else a key of that name in another
 * section, else the nearest full path.
 */
export function nearestKey(root: JsonSchema, unknown: readonly PropertyKey[]): string | undefined {
  const depth = unknown.findIndex((_, index) => schemasAt(root, unknown.slice(0, index + 1)).length === 0);
  if (depth < 0) return undefined;
  const parent = unknown.slice(0, depth);
  const sibling = nearestName(String(unknown[depth]), keysAt(root, parent));
  if (sibling !== undefined) {
    const whole = [...parent, sibling, ...unknown.slice(depth + 1)];
    return (schemasAt(root, whole).length > 0 ? whole : [...parent, sibling]).join('.');
  }
  const full = unknown.join('.');
  const keys = allKeys(root);
  const sameName = keys.filter((key) => key.split('.').at(-1) === String(unknown.at(-1)));
  sameName.sort((a, b) => editDistance(a, full) - editDistance(b, full));
  return sameName[0] ?? nearestName(full, keys);
}

/** The alternatives of a union, or the schema itself. Intersections count as alternatives: only keys are asked for. */
export function branches(node: JsonSchema): JsonSchema[] {
  const parts = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])];
  return parts.length === 0 ? [node] : parts.flatMap((part) => branches(part as JsonSchema));
}

function child(node: JsonSchema, key: PropertyKey): JsonSchema[] {
  if (typeof key === 'number') {
    const items = Array.isArray(node.prefixItems) ? node.prefixItems[key] : node.items;
    return isSchema(items) ? [items] : [];
  }
  const name = String(key);
  if (node.properties && Object.hasOwn(node.properties, name)) return [node.properties[name] as JsonSchema];
  return isSchema(node.additionalProperties) ? [node.additionalProperties] : [];
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
