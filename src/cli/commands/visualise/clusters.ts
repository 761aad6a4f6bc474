import type { Command } from 'commander';
import type { RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';
import { addEncoderOptions, readEncoderOptions } from './encoder-options.js';

/** `tessera visualise clusters`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('clusters')
    .summary('which patches belong together')
    .description(
      'Draws images beside the clusters of their patches, and the most frequent clusters with the patches that fit them best: the prototypes of a CAPI run, or k-means of the patches of any encoder.',
    );
  addEncoderOptions(command, 'clusters', 'number of images (default: 8)')
    .option('--clusters <n>', 'k-means with this many clusters (default: the prototypes of the run, or else 12)')
    .option('--fit <n>', 'images, spread over the data, to look for clusters in (default: 64)');
  const examples = [
    'visualise clusters --model runs/first --data photos/',
    'visualise clusters --model runs/first --data photos/ --clusters 20 --fit 500',
    'visualise clusters --model dinov2_vits14.pth --data photos/ --count 4 --out clusters.png',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const options = readEncoderOptions(raw, 'visualise clusters', (read) => ({
      clusters: read.integer('clusters'),
      fit: read.integer('fit'),
    }));
    const { visualiseClusters } = await import('../../actions/visualise-clusters.js');
    return visualiseClusters(options);
  });
}
