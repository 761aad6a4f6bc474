import type { Command } from 'commander';
import { joinSpecs, OptionReader, type RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';

/** `tessera visualise reconstruction`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('reconstruction')
    .summary('what a masked autoencoder fills in')
    .description(
      'Draws images, the patches that the encoder of a MAE run sees, and the rest as its decoder predicts it.',
    )
    .option('--run <run>', 'a run folder')
    .option('--data <spec>', 'images', joinSpecs)
    .option('--out <file>', 'PNG file to write (default: images/reconstruction.png in the run)')
    .option('--count <n>', 'number of images (default: 8)')
    .option('--seed <n>', 'seed of crops and masks (default: as in training)');
  const examples = ['visualise reconstruction --run runs/mae --data photos/'];
  defineAction(command, examples, async (raw: RawOptions) => {
    const read = new OptionReader(raw);
    const options = {
      run: read.required('run', 'a run folder, for example --run runs/mae'),
      data: read.required('data', 'images, for example --data photos/'),
      out: read.text('out'),
      count: read.integer('count'),
      seed: read.integer('seed', 0),
    };
    read.ending('out', options.out ?? '', ['.png']);
    read.done('visualise reconstruction');
    const { visualiseReconstruction } = await import('../../actions/visualise-reconstruction.js');
    return visualiseReconstruction(options);
  });
}
