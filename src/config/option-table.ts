import type { z } from 'zod';
import { branches, type JsonSchema, jsonSchema } from './schema-keys.js';
import { typeText } from './type-text.js';

type Row = {
  readonly key: string;
  readonly type: string;
  readonly default: string;
  readonly description: string;
};

/** A Markdown table of every key of a schema: key, type with range, default, description. For the docs. */
export function optionTable(schema: z.ZodType): string {
  const rows = rowsOf(jsonSchema(schema), '', '');
  const lines = rows.map((row) => `| \`${row.key}\` | ${row.type} | ${row.default} | ${cell(row.description)} |`);
  return ['| key | type | default | description |', '| --- | --- | --- | --- |', ...lines, ''].join('\n');
}

function rowsOf(node: JsonSchema, prefix: string, condition: string): Row[] {
  const sections = branches(node).filter((branch) => branch.properties);
  const [first] = sections;
  if (first === undefined) return [];
  if (sections.length === 1) return sectionRows(first, prefix, condition);
  // A union of sections: the keys that tell them apart once, then what each of them adds.
  const telling = Object.keys(first.properties ?? {}).filter((name) =>
    sections.every((section) => constantOf(section, name) !== undefined),
  );
  const heads = telling.map((name) => {
    const description = (first.properties?.[name] as JsonSchema | undefined)?.description ?? '';
    const merged: JsonSchema = {
      enum: sections.map((section) => String(constantOf(section, name))),
      description,
    };
    const preset = (node.default as Record<string, unknown> | undefined)?.[name];
    return rowOf(prefix + name, preset === undefined ? merged : { ...merged, default: preset }, condition, true);
  });
  return [...heads, ...sections.flatMap((section) => variantRows(section, telling, prefix, condition))];
}

function variantRows(section: JsonSchema, telling: readonly string[], prefix: string, condition: string): Row[] {
  const choice = telling.map((name) => `${prefix}${name}: ${constantOf(section, name)}`).join(', ');
  const rest = Object.entries(section.properties ?? {}).filter(([name]) => !telling.includes(name));
  const when = choice === '' ? condition : `${condition}(${choice}) `;
  return sectionRows({ ...section, properties: Object.fromEntries(rest) }, prefix, when);
}

function sectionRows(section: JsonSchema, prefix: string, condition: string): Row[] {
  return Object.entries(section.properties ?? {}).flatMap(([name, value]) => {
    const child = value as JsonSchema;
    const nested = rowsOf(child, `${prefix}${name}.`, condition);
    if (nested.length > 0) return nested;
    return [rowOf(prefix + name, child, condition, section.required?.includes(name) ?? false)];
  });
}

function rowOf(key: string, node: JsonSchema, when: string, required: boolean): Row {
  const missing = required ? 'required' : '';
  return {
    key,
    type: cell(typeText([node]) ?? 'any'),
    default: node.default === undefined ? missing : `\`${JSON.stringify(node.default)}\``,
    description: `${when}${node.description ?? ''}`,
  };
}

function constantOf(section: JsonSchema, name: string): unknown {
  return (section.properties?.[name] as JsonSchema | undefined)?.const;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim();
}
