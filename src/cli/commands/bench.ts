import type { Command } from 'commander';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

/** `tessera bench`. */
export function register(program: Command): void {
  const bench = program.command('bench').description('measure what this machine does, against its own measured peak');
  registerStep(bench);
  registerOps(bench);
  registerLoader(bench);
  registerKnn(bench);
}

function registerStep(bench: Command): void {
  const step = stepCommand(bench, 'step')
    .summary('one training step: time, images per second, share of the peak')
    .description('Times training steps on random images and compares them with the matrix-product peak measured first.')
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
      const options = { ...stepOptions(read), vs: read.text('vs') };
      read.done('bench step');
      const { benchStep } = await import('../actions/bench-step.js');
      return benchStep(options);
    },
  );
}

function registerOps(bench: Command): void {
  const operators = stepCommand(bench, 'ops')
    .summary('what a training step spends its time on, operator by operator')
    .description('Times every operator of training steps on random images, and what is left of the step without them.');
  defineAction(operators, ['bench ops', 'bench ops --preset base --threads 2 --json'], async (raw: RawOptions) => {
    const read = new OptionReader(raw);
    const options = stepOptions(read);
    read.done('bench ops');
    const { benchOps } = await import('../actions/bench-ops.js');
    return benchOps(options);
  });
}

function registerLoader(bench: Command): void {
  const loader = bench
    .command('loader')
    .summary('image files to training batches: images per second')
    .description('Decodes, crops, resizes and flips images as training does, without training.')
    .requiredOption('--data <spec>', 'images: a folder, scenes://, tar://, parquet://, list://, …')
    .option('--size <n>', 'side of the crops in pixels (224)')
    .option('--batch <n>', 'images in a batch (64)')
    .option('--workers <n>', 'threads that decode images (default: all cores)')
    .option('--images <n>', 'images that are timed (2048)')
    .option('--cache <where>', 'none (default) or memory, as data.cache: timed once all images were decoded');
  defineAction(
    loader,
    ['bench loader --data photos/ --size 224 --workers 2', 'bench loader --data photos/ --cache memory'],
    async (raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = {
        data: read.text('data')!,
        size: read.integer('size'),
        batch: read.integer('batch'),
        workers: read.integer('workers'),
        images: read.integer('images'),
        cache: read.choice('cache', ['none', 'memory']),
      };
      read.done('bench loader');
      const { benchLoader } = await import('../actions/bench-loader.js');
      return benchLoader(options);
    },
  );
}

function registerKnn(bench: Command): void {
  const knn = bench
    .command('knn')
    .summary('nearest neighbours: time, share of the peak, against scikit-learn')
    .description('Times the search for nearest neighbours of eval knn and eval segment-knn on random features.')
    .option('--rows <n>', 'rows to search among, and queries (20000)')
    .option('--width <n>', 'width of the features (384)')
    .option('--k <n>', 'neighbours of each query (30)')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--rounds <n>', 'searches by each metric (3)')
    .option('--python <path>', 'a Python with scikit-learn, whose brute force is timed in turn with the same threads');
  defineAction(knn, ['bench knn', 'bench knn --threads 2 --python python3 --json'], async (raw: RawOptions) => {
    const read = new OptionReader(raw);
    const options = {
      rows: read.integer('rows'),
      width: read.integer('width'),
      k: read.integer('k'),
      threads: read.integer('threads'),
      rounds: read.integer('rounds'),
      python: read.text('python'),
    };
    read.done('bench knn');
    const { benchKnn } = await import('../actions/bench-knn.js');
    return benchKnn(options);
  });
}

/** A command that takes training steps, with the options that {@link stepOptions} reads. */
function stepCommand(bench: Command, name: string): Command {
  return bench
    .command(name)
    .option('--preset <name>', 'size of the encoder')
    .option('--batch <n>', 'images in a step')
    .option('--image <n>', 'side of the images in pixels')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--steps <n>', 'steps that are timed, after warming up')
    .option('--precision <type>', 'float32 (default) or bfloat16, as optim.precision')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps');
}

const stepOptions = (read: OptionReader) => ({
  preset: read.text('preset'),
  batch: read.integer('batch'),
  image: read.integer('image'),
  threads: read.integer('threads'),
  steps: read.integer('steps'),
  precision: read.text('precision'),
  device: read.device(),
});
