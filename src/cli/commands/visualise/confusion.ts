import type { Command } from 'commander';
import { joinSpecs, type RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';
import { addModelOptions, readModelOptions } from './encoder-options.js';

/** `tessera visualise confusion`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('confusion')
    .summary('which classes are taken for others')
    .description(
      'Classifies test images by their nearest training images, as tessera eval knn, and draws the confusion matrix.',
    );
  addModelOptions(command, 'confusion')
    .option('--train <spec>', 'labelled images to compare with', joinSpecs)
    .option('--test <spec>', 'labelled images to classify', joinSpecs)
    .option('--k <n>', 'neighbours that vote (default: 10)')
    .option('--pooling <which>', 'what stands for an image: patches (their mean, default) or global');
  const examples = [
    'visualise confusion --model runs/first --train data/train --test data/test',
    "visualise confusion --model runs/first --train 'scenes://?split=train' --test 'scenes://?split=test' --k 20",
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const options = readModelOptions(raw, 'visualise confusion', (read) => ({
      train: read.required('train', 'labelled images, for example --train data/train'),
      test: read.required('test', 'labelled images, for example --test data/test'),
      k: read.integer('k'),
      pooling: read.choice('pooling', ['patches', 'global']) ?? 'patches',
    }));
    const { visualiseConfusion } = await import('../../actions/visualise-confusion.js');
    return visualiseConfusion(options);
  });
}
