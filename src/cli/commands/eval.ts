import type { Command } from 'commander';

/** `tessera eval`. Its tasks, one sub-command each, are loaded when it is asked for: they would slow other commands. */
export function register(program: Command): void {
  const command = program
    .command('eval')
    .summary('judge an encoder with the published protocols')
    .description(
      'Judges a frozen encoder by one of the tasks below, or several encoders beside each other. Every result has 95 % ' +
        'intervals, and with --with-floor the untrained encoder beside it.',
    );
  program.hook('preSubcommand', async (_, chosen) => {
    if (chosen !== command) return;
    const { registerTasks } = await import('./eval-tasks.js');
    registerTasks(command);
  });
}
