import type { Command } from 'commander';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

/** `tessera bench`. */
export function register(program: Command): void {
  const bench = program.command('bench').description('measure what this machine does, against its own measured peak');
  const step = bench
    .command('step')
    .summary('one training step: time, images per second, share of the peak')
    .description('Times training steps on random images and compares them with the matrix-product peak measured first.')
    .option('--preset <name>', 'size of the encoder')
    .option('--batch <n>', 'images in a step')
    .option('--image <n>', 'side of the images in pixels')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--steps <n>', 'steps that are timed, after warming up')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--vs <file>', 'compare with the JSON document of an earlier bench step --json');
  defineAction(
    step,
    [
      'bench step',
      'bench step --preset small --batch 16 --image 224 --json > before.json',
      'bench step --vs before.json',
    ],
    async (raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = {
        preset: read.text('preset'),
        batch: read.integer('batch'),
        image: read.integer('image'),
        threads: read.integer('threads'),
        steps: read.integer('steps'),
        device: read.device(),
        vs: read.text('vs'),
      };
      read.done('bench step');
      const { benchStep } = await import('../actions/bench-step.js');
      return benchStep(options);
    },
  );
}
