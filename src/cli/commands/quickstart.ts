import type { Command } from 'commander';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

/** `tessera quickstart`. */
export function register(program: Command): void {
  const command = program
    .command('quickstart')
    .summary('train on built-in scenes, evaluate, draw, write one HTML report')
    .description(
      'Pre-trains a small encoder on built-in procedural scenes, compares it with an untrained one, draws what it ' +
        'sees and writes one HTML report. Downloads nothing.',
    )
    .option('--out <run>', 'run folder (default: runs/quickstart, or the next free name)')
    .option('--seed <n>', 'seed of every random choice')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--steps <n>', 'training steps');
  defineAction(
    command,
    ['quickstart', 'quickstart --steps 50 --threads 4 --out runs/look'],
    async (raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = {
        out: read.text('out'),
        seed: read.integer('seed', 0),
        threads: read.integer('threads'),
        steps: read.integer('steps'),
      };
      read.done('quickstart');
      const { quickstart } = await import('../actions/quickstart.js');
      return quickstart(options);
    },
  );
}
