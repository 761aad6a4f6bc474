import type { Command } from 'commander';
import { joinSpecs, OptionReader, type RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';

/** `tessera visualise masks`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('masks')
    .summary('which patches the training hides')
    .description('Draws images with the patches that a training hides and predicts. Needs no engine.')
    .option('--run <run>', 'a run folder')
    .option('--recipe <recipe>', 'a recipe instead of a run')
    .option('--data <spec>', 'images', joinSpecs)
    .option('--out <file>', 'PNG file to write (default: images/masks.png in the run)')
    .option('--count <n>', 'number of images (default: 8)')
    .option('--draws <n>', 'masks for each image (default: 3)')
    .option('--seed <n>', 'seed of crops and masks (default: as in training)');
  const examples = [
    'visualise masks --run runs/first --data photos/',
    'visualise masks --recipe my-recipe.yaml --data photos/ --count 4 --out masks.png',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const read = new OptionReader(raw);
    const recipe = read.text('recipe');
    const either = 'a run folder, for example --run runs/first, or a recipe with --recipe';
    const options = {
      run: recipe === undefined ? read.required('run', either) : read.text('run'),
      recipe,
      data: read.required('data', 'images, for example --data photos/'),
      out: read.text('out'),
      count: read.integer('count'),
      draws: read.integer('draws'),
      seed: read.integer('seed', 0),
    };
    read.ending('out', options.out ?? '', ['.png']);
    read.done('visualise masks');
    const { visualiseMasks } = await import('../../actions/visualise-masks.js');
    return visualiseMasks(options);
  });
}
