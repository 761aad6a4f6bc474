import type { Command } from 'commander';
import { joinSpecs, type RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';
import { addEncoderOptions, readEncoderOptions } from './encoder-options.js';

/** `tessera visualise neighbours`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('neighbours')
    .summary('which images are nearest to others')
    .description(
      'Draws images beside those whose features are nearest to theirs, by cosine; green where classes agree.',
    );
  addEncoderOptions(command, 'neighbours', 'number of images to look up (default: 8)')
    .option('--gallery <spec>', 'images to look among (default: all others of --data)', joinSpecs)
    .option('--k <n>', 'neighbours of each (default: 7)')
    .option('--pooling <which>', 'what stands for an image: patches (their mean, default) or global');
  const examples = [
    'visualise neighbours --model runs/first --data photos/',
    'visualise neighbours --model runs/first --data data/test --gallery data/train --count 12 --pooling global',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const options = readEncoderOptions(raw, 'visualise neighbours', (read) => {
      if (raw.tile !== undefined) read.wrong('--tile: expected none, for images are looked up as a whole');
      return {
        gallery: read.text('gallery'),
        k: read.integer('k'),
        pooling: read.choice('pooling', ['patches', 'global']) ?? 'patches',
      };
    });
    const { visualiseNeighbours } = await import('../../actions/visualise-neighbours.js');
    return visualiseNeighbours(options);
  });
}
