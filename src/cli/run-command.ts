import type { Command } from 'commander';
import { TesseraError } from '../support/errors.js';
import { type CommandResult, writeResult } from './output.js';

/** The options that every command has. */
type CommonOptions = { readonly json?: boolean; readonly trace?: boolean };

/**
 * Adds `--json`, `--trace` and the examples to a command and runs `action` behind its name. The action gets what
 * commander gives (positional arguments, then the options) and hands back a result, which is written to standard
 * output; errors become a message, the next step and an exit code.
 *
 * @param examples lines shown by `--help`, without the leading `tessera`.
 */
export function defineAction<A extends unknown[]>(
  command: Command,
  examples: readonly string[],
  action: (...args: A) => Promise<CommandResult>,
): void {
  command
    .option('--json', 'print one JSON document as the last line of standard output')
    .option('--trace', 'print the stack of an error')
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  tessera ${example}`).join('\n')}`)
    .action(async (...received: unknown[]) => {
      const options = command.opts<CommonOptions>();
      try {
        // The last argument is commander's own object.
        const result = await action(...(received.slice(0, -1) as A));
        writeResult(result, options.json === true);
        if (result.exitCode !== undefined) process.exitCode = result.exitCode;
      } catch (error) {
        reportError(error, options);
      }
    });
}

/** Tells standard error what went wrong and what to do, and sets the exit code. With `--json`, scripts get it as well. */
export function reportError(error: unknown, options: CommonOptions): void {
  const known = error instanceof TesseraError;
  const message = error instanceof Error ? error.message : String(error);
  const lines = [`error: ${message}`];
  if (known && error.hint !== undefined) lines.push(error.hint);
  if (!known) lines.push('This looks like a bug in Tessera. Please report it with the lines below.');
  if (!known || options.trace) lines.push(stackOf(error));
  process.stderr.write(`${lines.join('\n')}\n`);
  if (options.json) {
    const document = {
      error: { code: known ? error.code : 'BUG', message, hint: known ? error.hint : undefined },
    };
    process.stdout.write(`${JSON.stringify(document)}\n`);
  }
  process.exitCode = known ? error.exitCode : 1;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return '(no stack)';
  // The first lines of a stack repeat the message.
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const cause = error.cause instanceof Error ? [`caused by ${error.cause.message}`, stackOf(error.cause)] : [];
  return [...frames, ...cause].join('\n');
}
