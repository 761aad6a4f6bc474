import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { register as bench } from './commands/bench.js';
import { register as convert } from './commands/convert.js';
import { register as doctor } from './commands/doctor.js';
import { register as evaluate } from './commands/eval.js';
import { register as exportModel } from './commands/export.js';
import { register as features } from './commands/features.js';
import { register as finetune } from './commands/finetune.js';
import { register as pretrain } from './commands/pretrain.js';
import { register as quickstart } from './commands/quickstart.js';
import { register as refine } from './commands/refine.js';
import { register as runs } from './commands/runs.js';
import { register as setup } from './commands/setup.js';
import { register as visualise } from './commands/visualise/register.js';
import { reportError } from './run-command.js';

/** Every command, in the order of `tessera --help`. A command loads what it needs when it runs, not here. */
const commands = [
  quickstart,
  pretrain,
  refine,
  finetune,
  evaluate,
  features,
  visualise,
  convert,
  exportModel,
  runs,
  bench,
  doctor,
  setup,
];

/** Runs the command line with the arguments after `tessera` and sets the exit code of the process. */
export async function main(args: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
  try {
    await createProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error, { json: args.includes('--json') });
    // Commander has printed the message with the nearest name. Its exit codes are 0 (help, version) and 1.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    if (/^error: unknown option '--[\w-]+\./.test(error.message)) {
      process.stderr.write('Values of a recipe are written without dashes: key.path=value\n');
    }
    if (error.exitCode !== 0 && args.includes('--json')) {
      const message = error.message.replace(/^error: /, '');
      process.stdout.write(`${JSON.stringify({ error: { code: 'USAGE', message } })}\n`);
    }
  }
}

/** The whole command tree, for `main` and for the generated command reference. */
export function createProgram(): Command {
  const program = new Command('tessera')
    .description('Self-supervised vision pre-training on the core of PyTorch')
    .version(version(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(add --help for options and examples)')
    .addHelpText('after', '\nStart with: tessera quickstart\nHelp on one command: tessera <command> --help');
  for (const register of commands) register(program);
  return program;
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
