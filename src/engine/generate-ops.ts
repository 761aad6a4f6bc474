/**
 * Writes src/tensor/ops.generated.ts: typed signatures for the operators in native/ops.list, from the schemas that the
 * engine itself lists. `--check` compares instead of writing and exits 1 on a difference.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { engine } from './addon.js';

interface Argument {
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
}

interface Schema {
  readonly name: string;
  readonly overload: string;
  readonly text: string;
  readonly args: readonly Argument[];
  readonly returns: readonly string[];
  readonly inPlace: boolean;
}

const root = new URL('../../', import.meta.url);
const target = new URL('src/tensor/ops.generated.ts', root);
/** Arguments that Tessera never sets. */
const hidden = new Set(['Layout', 'MemoryFormat', 'pin_memory', 'non_blocking', 'copy']);

function parseSchema(text: string): Schema {
  const match = /^([\w:]+?)(?:\.(\w+))?\((.*)\) -> (.*)$/.exec(text);
  if (!match) throw new Error(`unreadable schema: ${text}`);
  const [, name, overload = '', args, returns] = match;
  const parts = splitTop(args!).filter((part) => part !== '*' && part !== '');
  const results = returns === '()' ? [] : splitTop(returns!.replace(/^\(([^()]*(?:\([^()]*\)[^()]*)*)\)$/, '$1'));
  return {
    name: name!,
    overload,
    text,
    args: parts.map(parseArgument),
    returns: results.map((part) => cleanType(part.trim().split(' ')[0]!)),
    inPlace: results.length === 0 || results.some((part) => part.includes('!')),
  };
}

function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if ('([{'.includes(text[i]!)) depth++;
    else if (')]}'.includes(text[i]!)) depth--;
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts;
}

function cleanType(type: string): string {
  return type
    .replace(/\([a-z!*|> -]*\)/g, '')
    .replace(/\[\d+\]/g, '[]')
    .replace(/SymInt/g, 'int');
}

function parseArgument(text: string): Argument {
  const space = text.search(/ \w+(=|$)/);
  const [name, fallback] = text.slice(space + 1).split('=');
  const type = cleanType(text.slice(0, space));
  return { name: name!, type, optional: fallback !== undefined };
}

function typeScript(type: string): string {
  const optional = type.endsWith('?');
  const base = optional ? type.slice(0, -1) : type;
  const types: Record<string, string> = {
    Tensor: 'Tensor',
    int: 'number',
    float: 'number',
    bool: 'boolean',
    str: 'string',
    Scalar: 'number',
    ScalarType: 'DType',
    Device: 'string',
    Generator: 'Generator',
    'int[]': 'readonly number[]',
    'float[]': 'readonly number[]',
    'Tensor[]': 'readonly Tensor[]',
    'Tensor?[]': 'readonly (Tensor | null)[]',
  };
  const result = types[base];
  if (result === undefined) throw new Error(`no TypeScript type for ${type}`);
  return optional ? `${result} | null` : result;
}

const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const isHidden = (arg: Argument) => hidden.has(arg.type.replace('?', '')) || hidden.has(arg.name);

/** The expression that turns an argument into what the addon takes. */
function passed(arg: Argument): string {
  if (isHidden(arg)) return 'undefined';
  const name = camel(arg.name);
  const maybe = arg.optional || arg.type.endsWith('?');
  switch (arg.type.replace(/\?$/, '')) {
    case 'Tensor':
      return maybe ? `${name}?.handle` : `${name}.handle`;
    case 'Generator':
      return maybe ? `${name}?.id` : `${name}.id`;
    case 'ScalarType':
      return maybe ? `${name} ? dtypeCode(${name}) : undefined` : `dtypeCode(${name})`;
    case 'Tensor[]':
      return `${name}.map((t) => t.handle)`;
    case 'Tensor?[]':
      return `${name}.map((t) => t?.handle)`;
    default:
      return name;
  }
}

function returned(schema: Schema): { type: string; wrap: (call: string) => string } {
  if (schema.inPlace) return { type: 'void', wrap: (call) => `${call};` };
  const [first] = schema.returns;
  if (schema.returns.length > 1) {
    return {
      type: `[${schema.returns.map(() => 'Tensor').join(', ')}]`,
      wrap: (call) => `return tensors(${call}) as [${schema.returns.map(() => 'Tensor').join(', ')}];`,
    };
  }
  if (first === 'Tensor[]') return { type: 'Tensor[]', wrap: (call) => `return tensors(${call});` };
  if (first !== 'Tensor') throw new Error(`no TypeScript result for ${schema.text}`);
  return { type: 'Tensor', wrap: (call) => `return new Tensor(${call} as number);` };
}

function emit(name: string, schemas: readonly Schema[]): string {
  const [schema, scalar] = schemas as [Schema, Schema?];
  const visible = schema.args.filter((arg) => !isHidden(arg));
  const parameters = visible.map((arg, index) => {
    const either = scalar !== undefined && index === 1 ? ' | number' : '';
    const trailing = visible.slice(index).every((later) => later.optional || later.type.endsWith('?'));
    const type = typeScript(arg.type) + either;
    if (trailing) return `${camel(arg.name)}?: ${type}`;
    return `${camel(arg.name)}: ${arg.optional ? `${type} | undefined` : type}`;
  });
  const result = returned(schema);
  const call = (s: Schema) => `call(${[key(s), ...s.args.map(passed)].join(', ')})`;
  const lines = schemas.map((s) => `/** \`${s.text}\` */`);
  lines.push(`export function ${name}(${parameters.join(', ')}): ${result.type} {`);
  if (scalar) {
    const other = camel(visible[1]!.name);
    const asNumber = call(scalar).replace(`${other}.handle`, other);
    lines.push(`  if (typeof ${other} === 'number') {`, `    ${result.wrap(asNumber)}`);
    if (result.type === 'void') lines.push('    return;');
    lines.push('  }');
  }
  lines.push(`  ${result.wrap(call(schema))}`, '}');
  return lines.join('\n');
}

const key = (schema: Schema) => `'${schema.name}${schema.overload ? `.${schema.overload}` : ''}'`;

function generate(): string {
  const schemas = new Map(
    engine()
      .schemas()
      .split('\n')
      .filter((line) => line.startsWith('aten::') || line.startsWith('tessera::'))
      .map((line) => [line.slice(0, line.indexOf('(')), line]),
  );
  const functions = readFileSync(new URL('native/ops.list', root), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const split = line.indexOf(': ');
      const keys = line
        .slice(split + 2)
        .split('|')
        .map((part) => part.trim());
      const found = keys.map((wanted) => {
        const text = schemas.get(wanted);
        if (text === undefined) throw new Error(`native/ops.list: the engine has no ${wanted}`);
        return parseSchema(text);
      });
      return emit(line.slice(0, split), found);
    });
  return `// Generated from native/ops.list by \`npm run generate\`. Do not edit.
import { call } from '../engine/operators.js';
import { type DType, dtypeCode } from './dtype.js';
import type { Generator } from './generator.js';
import { Tensor } from './tensor.js';

const tensors = (result: unknown) => (result as number[]).map((handle) => new Tensor(handle));

${functions.join('\n\n')}
`;
}

const text = generate();
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write('src/tensor/ops.generated.ts is stale; run `npm run generate`.\n');
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
}
