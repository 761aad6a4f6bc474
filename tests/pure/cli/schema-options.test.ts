import { Command } from 'commander';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { OptionReader, type RawOptions } from '../../../src/cli/option-reader.js';
import { addSchemaOptions, readSchemaOptions } from '../../../src/cli/schema-options.js';

const schema = z.strictObject({
  maxPatches: z
    .union([z.int().min(1), z.literal('all')])
    .default(100)
    .describe('Patches at most.'),
  ks: z.array(z.int().min(1)).default([1, 10]).describe('How many vote.'),
  search: z.boolean().default(false).describe('Search.'),
  centre: z.boolean().default(true).describe('Do not centre.'),
  shape: z.enum(['round', 'square']).optional().describe('Which shape.'),
});

function parse(...args: string[]): { values: z.output<typeof schema>; problems: () => void } {
  const command = new Command();
  addSchemaOptions(command, schema);
  command.parse(args, { from: 'user' });
  const raw = command.opts<RawOptions>();
  const read = new OptionReader(raw);
  return { values: readSchemaOptions(read, raw, schema), problems: () => read.done('x') };
}

it('makes an option of every key, with choices and default', () => {
  const command = new Command();
  addSchemaOptions(command, schema);
  expect(command.options.map(({ flags, description }) => `${flags}: ${description}`)).toEqual([
    '--max-patches <n|all>: patches at most (default: 100)',
    '--ks <n,…>: how many vote (default: 1,10)',
    '--search: search',
    '--no-centre: do not centre',
    '--shape <which>: which shape (round, square)',
  ]);
});

it('reads numbers, words, lists and flags, and completes them with defaults', () => {
  expect(parse().values).toEqual({ maxPatches: 100, ks: [1, 10], search: false, centre: true });
  const all = ['--max-patches', 'all', '--ks', '3,5', '--search', '--no-centre', '--shape', 'round'];
  expect(parse(...all).values).toEqual({ maxPatches: 'all', ks: [3, 5], search: true, centre: false, shape: 'round' });
  expect(parse('--max-patches', '7').values.maxPatches).toBe(7);
});

it('tells every value that does not fit, by its flag', () => {
  const { problems } = parse('--max-patches', 'none', '--ks', '3,', '--shape', 'flat');
  expect(problems).toThrow(/--max-patches: expected integer ≥ 1 or all.*\n.*--ks: .*\n.*--shape: expected one of/);
});
