import type { Command } from 'commander';
import { joinSpecs, OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

/** `tessera visualise`. */
export function register(program: Command): void {
  const visualise = program.command('visualise').description('draw what an encoder sees and how a run went');
  registerPca(visualise);
  registerMasks(visualise);
  registerCurves(visualise);
}

function registerPca(visualise: Command): void {
  const command = visualise
    .command('pca')
    .summary('patch features as colours')
    .description('Draws images beside their patch features: the first three principal components as colours.')
    .option('--model <m>', 'a run folder, a checkpoint file, or random:<preset> (untrained)')
    .option('--with-floor', 'show the untrained encoder of the same sizes below')
    .option('--data <spec>', 'images', joinSpecs)
    .option('--out <file>', 'PNG file to write (default: images/pca.png in the run)')
    .option('--count <n>', 'number of images (default: 8)')
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option('--size <n>', 'side of the images in pixels (default: as in training)')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)');
  const examples = [
    'visualise pca --model runs/first --data photos/',
    'visualise pca --model runs/first --with-floor --data photos/ --count 4 --out pca.png',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const read = new OptionReader(raw);
    const options = {
      model: read.required('model', 'an encoder, for example --model runs/first'),
      withFloor: read.flag('withFloor'),
      data: read.required('data', 'images, for example --data photos/'),
      out: read.text('out'),
      count: read.integer('count'),
      weights: read.choice('weights', ['teacher', 'student']) ?? 'teacher',
      size: read.integer('size'),
      device: read.device(),
      threads: read.integer('threads'),
    } as const;
    read.ending('out', options.out ?? '', ['.png']);
    read.done('visualise pca');
    const { visualisePca } = await import('../actions/visualise-pca.js');
    return visualisePca(options);
  });
}

function registerMasks(visualise: Command): void {
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
    const { visualiseMasks } = await import('../actions/visualise-masks.js');
    return visualiseMasks(options);
  });
}

function registerCurves(visualise: Command): void {
  const command = visualise
    .command('curves')
    .summary('losses and health of runs over their steps')
    .description('Draws the metrics of one run, or of several over each other. Needs no engine.')
    .option('--run <runs...>', 'one run folder or several')
    .option('--out <file>', 'SVG or PNG file to write (default: images/curves.svg in the first run)');
  const examples = [
    'visualise curves --run runs/first',
    'visualise curves --run runs/first runs/second --out both.png',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const read = new OptionReader(raw);
    const options = {
      runs: read.list('run', 'a run folder, for example --run runs/first'),
      out: read.text('out'),
    };
    read.ending('out', options.out ?? '', ['.svg', '.png']);
    read.done('visualise curves');
    const { visualiseCurves } = await import('../actions/visualise-curves.js');
    return visualiseCurves(options);
  });
}
