import { expect, test } from 'vitest';
import { optionTable } from '../../../src/config/option-table.js';
import { jsonSchema } from '../../../src/config/schema-keys.js';
import { exampleSchema } from './schema.js';

test('the table has every key with type, default and description', () => {
  expect(optionTable(exampleSchema).split('\n').slice(2, -1)).toEqual([
    '| `method` | capi | required |  |',
    '| `data.size` | integer ≥ 16, a multiple of 2 | `224` | Side of a crop \\| pixels. |',
    '| `data.scale` | list of 2, each number in [0, 1] | `[0.6,1]` |  |',
    '| `masking.kind` | one of block, random | `"block"` |  |',
    '| `masking.ratio` | number in (0, 1) | `0.65` | (masking.kind: block) |',
    '| `masking.count` | integer | required | (masking.kind: random) |',
    '| `optimizer.lr` | number > 0 | required | Peak learning rate. |',
    '| `optimizer.clip` | number > 0 or null | `null` |  |',
    '| `optimizer.schedule` | one of cosine, linear | `"cosine"` |  |',
    '| `note` | text |  |  |',
    '| `weights` | section of keys | `{}` |  |',
    '| `amp` | true or false or auto | `"auto"` |  |',
    '| `stages` | list, each section of keys | `[]` |  |',
  ]);
});

test('the schema for editors forbids unknown keys and asks only for keys without default', () => {
  expect(jsonSchema(exampleSchema)).toMatchObject({
    type: 'object',
    additionalProperties: false,
    required: ['method', 'optimizer'],
    properties: { optimizer: { additionalProperties: false, required: ['lr'] } },
  });
});
