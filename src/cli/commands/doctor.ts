import type { Command } from 'commander';
import { defineAction } from '../run-command.js';

/** `tessera doctor`. */
export function register(program: Command): void {
  const command = program
    .command('doctor')
    .summary('show what this machine has and what is missing')
    .description(
      'Shows machine, tools, every place where libtorch was looked for, the state of the addon and the image ' +
        'library. Exits with 1 when something is missing, and says what to do. Works without an engine.',
    );
  defineAction(command, ['doctor', 'doctor --json'], async () => {
    const { doctor } = await import('../actions/doctor.js');
    return doctor();
  });
}
