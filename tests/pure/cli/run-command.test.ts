import { Command } from 'commander';
import { afterEach, expect, test, vi } from 'vitest';
import type { CommandResult } from '../../../src/cli/output.js';
import { cardText } from '../../../src/cli/output.js';
import { defineAction } from '../../../src/cli/run-command.js';
import { DataError } from '../../../src/support/errors.js';

async function run(action: () => Promise<CommandResult>, ...args: string[]) {
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    });
  }
  const program = new Command();
  defineAction(program.command('try'), ['try'], action);
  await program.parseAsync(['try', ...args], { from: 'user' });
  const code = process.exitCode ?? 0;
  process.exitCode = undefined;
  return { ...written, code };
}

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const result: CommandResult = { card: 'title\n  steps  3\n', json: { steps: 3, text: 'a\nb' } };

test('people get the card, scripts one line of JSON', async () => {
  expect(await run(async () => result)).toEqual({ stdout: 'title\n  steps  3\n', stderr: '', code: 0 });
  expect((await run(async () => result, '--json')).stdout).toBe('{"steps":3,"text":"a\\nb"}\n');
});

test('a run that a signal stopped hands back its result and exits 130', async () => {
  expect(await run(async () => ({ ...result, exitCode: 130 }), '--json')).toMatchObject({
    stdout: '{"steps":3,"text":"a\\nb"}\n',
    code: 130,
  });
});

test('an error of the user is message and next step; any other is a bug with its stack', async () => {
  const known = await run(() => Promise.reject(new DataError('no images in photos/', { hint: 'Give a folder.' })));
  expect(known).toEqual({ stdout: '', stderr: 'error: no images in photos/\nGive a folder.\n', code: 1 });
  const bug = await run(() => Promise.reject(new TypeError('x is undefined')), '--json');
  expect(bug.stderr).toMatch(/^error: x is undefined\nThis looks like a bug in Tessera\..*\n +at /);
  expect(JSON.parse(bug.stdout)).toEqual({ error: { code: 'BUG', message: 'x is undefined' } });
  expect(bug.code).toBe(1);
});

test('the card lines up facts and leaves unknown ones out', () => {
  expect(
    cardText('first', [
      ['state', 'finished'],
      ['loss', undefined],
      ['a', 'b'],
    ]),
  ).toBe('first\n  state  finished\n  a      b');
});
