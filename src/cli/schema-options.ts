import type { Command } from 'commander';
import type { z } from 'zod';
import { describeIssues } from '../config/problems.js';
import { branches, type JsonSchema, jsonSchema } from '../config/schema-keys.js';
import { flagOf, type OptionReader, type RawOptions } from './option-reader.js';

/** A key of a schema as an option. */
interface SchemaOption {
  readonly key: string;
  readonly flags: string;
  readonly help: string;
}

/**
 * Adds an option for every key of a section: `maxPatches` becomes `--max-patches <n>`, a boolean a flag without value
 * (`--no-…` where it is on by default). Help is the description with choices and default.
 */
export function addSchemaOptions(command: Command, schema: z.ZodObject): void {
  for (const { flags, help } of schemaOptions(jsonSchema(schema))) command.option(flags, help);
}

/**
 * The values that were typed, checked: those of the schema with its defaults. Problems go to `read`, and the result then
 * is of no use.
 */
export function readSchemaOptions<Schema extends z.ZodObject>(
  read: OptionReader,
  raw: RawOptions,
  schema: Schema,
): z.output<Schema> {
  const root = jsonSchema(schema);
  const values: Record<string, unknown> = {};
  for (const [key, node] of Object.entries(root.properties ?? {})) {
    const value = raw[key];
    // Commander says true for a --no-… that was not given.
    if (value === undefined || (value === true && (node as JsonSchema).default === true)) continue;
    values[key] = typeof value === 'string' ? readValue(value, node as JsonSchema) : value;
  }
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  for (const { path, text } of describeIssues(parsed.error.issues, values, root)) {
    read.wrong(`${flagOf(String(path[0]))}: ${text}`);
  }
  return {} as z.output<Schema>;
}

function schemaOptions(root: JsonSchema): SchemaOption[] {
  return Object.entries(root.properties ?? {}).map(([key, value]) => {
    const node = value as JsonSchema;
    const flag = flagOf(key);
    const text = (node.description ?? '').replace(/\.$/, '');
    const help = text.charAt(0).toLowerCase() + text.slice(1);
    if (node.type === 'boolean') {
      return { key, flags: node.default === true ? flag.replace('--', '--no-') : flag, help };
    }
    const choices = choicesOf(node);
    const preset = node.default === undefined ? [] : [`default: ${presetText(node.default)}`];
    const notes = [...(choices.length > 0 && !isNumeric(node) ? [choices.join(', ')] : []), ...preset];
    return {
      key,
      flags: `${flag} ${placeholder(node)}`,
      help: notes.length > 0 ? `${help} (${notes.join('; ')})` : help,
    };
  });
}

/** `<n>`, `<n|all>`, `<n,…>`, `<which>`, `<text>`. */
function placeholder(node: JsonSchema): string {
  const item = itemOf(node);
  const words = choicesOf(node);
  const name = isNumeric(node) ? ['n', ...words].join('|') : words.length > 0 ? 'which' : 'text';
  return item === node ? `<${name}>` : `<${name},…>`;
}

function presetText(value: unknown): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** The schema of a list's items, or the schema itself. */
function itemOf(node: JsonSchema): JsonSchema {
  return node.type === 'array' && typeof node.items === 'object' && !Array.isArray(node.items)
    ? (node.items as JsonSchema)
    : node;
}

function choicesOf(node: JsonSchema): string[] {
  return branches(itemOf(node)).flatMap((branch) =>
    branch.enum ? branch.enum.map(String) : branch.const !== undefined ? [String(branch.const)] : [],
  );
}

function isNumeric(node: JsonSchema): boolean {
  return branches(itemOf(node)).some((branch) => branch.type === 'number' || branch.type === 'integer');
}

/** Lists are typed with commas; what reads as a number is one where the schema takes numbers. */
function readValue(text: string, node: JsonSchema): unknown {
  const single = (part: string) =>
    isNumeric(node) && part.trim() !== '' && Number.isFinite(Number(part)) ? Number(part) : part;
  return node.type === 'array' ? text.split(',').map(single) : single(text);
}
