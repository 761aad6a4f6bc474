import { branches, type JsonSchema } from './schema-keys.js';

/**
 * What a value must be, in words: `integer ≥ 1`, `number in (0, 1]`, `one of cosine, linear`, `list of 2 numbers`,
 * `number or null`. Used by the messages about invalid recipes and by the option tables.
 */
export function typeText(nodes: readonly JsonSchema[]): string | undefined {
  const choices = nodes.flatMap(branches);
  const constants = choices.filter((node) => node.const !== undefined || node.enum !== undefined);
  const others = choices.filter((node) => node.const === undefined && node.enum === undefined);
  const values = [...new Set(constants.flatMap((node) => node.enum ?? [node.const]).map(String))];
  const texts = [...new Set(others.map(singleText))];
  if (texts.includes(undefined)) return undefined;
  if (values.length > 0) texts.push(values.length > 1 ? `one of ${values.join(', ')}` : values[0]);
  // `null` reads best at the end.
  texts.sort((a, b) => Number(a === 'null') - Number(b === 'null'));
  return texts.length === 0 ? undefined : texts.join(' or ');
}

function singleText(node: JsonSchema): string | undefined {
  switch (node.type) {
    case 'integer':
    case 'number':
      return `${node.type}${rangeText(node)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return node.pattern ? `text matching ${node.pattern}` : node.minLength ? 'text (not empty)' : 'text';
    case 'null':
      return 'null';
    case 'array':
      return listText(node);
    case 'object':
      return 'section of keys';
    default:
      return undefined;
  }
}

function listText(node: JsonSchema): string {
  const items = typeof node.items === 'object' && !Array.isArray(node.items) ? [node.items as JsonSchema] : [];
  const of = typeText(items);
  const { minItems, maxItems } = node;
  let count = '';
  if (Array.isArray(node.prefixItems)) count = ` of ${node.prefixItems.length}`;
  else if (minItems !== undefined && minItems === maxItems) count = ` of ${minItems}`;
  else if (minItems !== undefined && maxItems !== undefined) count = ` of ${minItems} to ${maxItems}`;
  else if (minItems !== undefined) count = ` of at least ${minItems}`;
  else if (maxItems !== undefined) count = ` of at most ${maxItems}`;
  return of === undefined ? `list${count}` : `list${count}, each ${of}`;
}

function rangeText(node: JsonSchema): string {
  const lowOpen = node.exclusiveMinimum as number | undefined;
  const highOpen = node.exclusiveMaximum as number | undefined;
  const low = lowOpen ?? bound(node.minimum);
  const high = highOpen ?? bound(node.maximum);
  const step = node.multipleOf === undefined ? '' : `, a multiple of ${node.multipleOf}`;
  if (low !== undefined && high !== undefined) {
    return ` in ${lowOpen === undefined ? '[' : '('}${low}, ${high}${highOpen === undefined ? ']' : ')'}${step}`;
  }
  if (low !== undefined) return ` ${lowOpen === undefined ? '≥' : '>'} ${low}${step}`;
  if (high !== undefined) return ` ${highOpen === undefined ? '≤' : '<'} ${high}${step}`;
  return step;
}

/** zod gives every integer the range of exact doubles; that is no news to anybody. */
function bound(value: number | undefined): number | undefined {
  return value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;
}
