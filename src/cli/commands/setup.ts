import type { Command } from 'commander';
import { defineAction } from '../run-command.js';

/** `tessera setup`. */
export function register(program: Command): void {
  const command = program
    .command('setup')
    .summary('prepare the engine: find or download libtorch, compile the addon')
    .description(
      'Finds libtorch (TESSERA_LIBTORCH, an installed Python torch of version 2.9 or newer, or a private copy in ' +
        'the cache folder, which is downloaded with pip when there is none: 544 MB) and compiles the addon against ' +
        'it. Does nothing when everything is up to date.',
    );
  defineAction(command, ['setup', 'setup --json'], async () => {
    const { setup } = await import('../actions/setup.js');
    return setup();
  });
}
