import type { Command } from 'commander';
import { UsageError } from '../../support/errors.js';
import { defineAction } from '../run-command.js';

/** `tessera runs`. */
export function register(program: Command): void {
  const runs = program.command('runs').description('read run folders; needs no engine');
  registerList(runs);
  registerShow(runs);
  registerCompare(runs);
}

function registerList(runs: Command): void {
  const command = runs
    .command('list')
    .summary('the runs in a folder')
    .description('Lists the runs in a folder and its sub-folders, oldest first.')
    .argument('[folder]', 'where to look', 'runs');
  defineAction(command, ['runs list', 'runs list experiments/ --json'], async (folder: string) => {
    const { runsList } = await import('../actions/runs-list.js');
    return runsList(folder);
  });
}

function registerShow(runs: Command): void {
  const command = runs
    .command('show')
    .summary('one run: state, losses, evaluations, checkpoints, settings')
    .description('Shows one run: state, losses, evaluations, checkpoints, warnings and what was set in its recipe.')
    .argument('<run>', 'a run folder');
  defineAction(command, ['runs show runs/first', 'runs show runs/first --json'], async (run: string) => {
    const { runsShow } = await import('../actions/runs-show.js');
    return runsShow(run);
  });
}

function registerCompare(runs: Command): void {
  const command = runs
    .command('compare')
    .summary('several runs side by side')
    .description('Compares runs: the settings that differ, losses at the last step that all have, best evaluations.')
    .argument('<runs...>', 'two run folders or more');
  defineAction(command, ['runs compare runs/first runs/faster'], async (paths: string[]) => {
    if (paths.length < 2) {
      throw new UsageError(`tessera runs compare: expected two run folders or more, received ${paths.length}`, {
        hint: 'tessera runs show RUN shows a single one.',
      });
    }
    const { runsCompare } = await import('../actions/runs-compare.js');
    return runsCompare(paths);
  });
}
