import type { Command } from 'commander';
import type { RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';
import { addEncoderOptions, readEncoderOptions } from './encoder-options.js';

/** `tessera visualise pca`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('pca')
    .summary('patch features as colours')
    .description('Draws images beside their patch features: the first three principal components as colours.');
  addEncoderOptions(command, 'pca', 'number of images (default: 8)')
    .option('--with-floor', 'show the untrained encoder of the same sizes below')
    .option('--fit <n>', 'images, spread over the data, that shared colours are computed from (default: those shown)')
    .option('--components <which>', 'alone: of each image; shared: of all images; both (default)')
    .option('--channels <n>', 'also show this many components one by one, as heat maps (default: 0)')
    .option('--plain', 'keep the proportions of the components instead of whitening them');
  const examples = [
    'visualise pca --model runs/first --data photos/',
    'visualise pca --model runs/first --with-floor --data photos/ --count 4 --out pca.png',
    'visualise pca --model runs/first --data photos/ --components shared --fit 1000 --channels 8',
    'visualise pca --model runs/first --data photos/ --count 1 --size 1792',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const options = readEncoderOptions(raw, 'visualise pca', (read) => ({
      withFloor: read.flag('withFloor'),
      fit: read.integer('fit'),
      components: read.choice('components', ['both', 'alone', 'shared']) ?? 'both',
      channels: read.integer('channels', 0),
      whiten: !read.flag('plain'),
    }));
    const { visualisePca } = await import('../../actions/visualise-pca.js');
    return visualisePca(options);
  });
}
