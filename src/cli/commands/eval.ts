import type { Command } from 'commander';
import { UsageError } from '../../support/errors.js';
import type { EvalOptions } from '../actions/eval.js';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

const tasks = ['knn', 'segment-knn'] as const;

/** `tessera eval`. */
export function register(program: Command): void {
  const command = program
    .command('eval')
    .summary('judge an encoder with the published protocols')
    .description(
      'Judges a frozen encoder: knn (classes of images) or segment-knn (classes of patches), both with nearest ' +
        'neighbours in the training images. Percentages with 95 % intervals. CAPI published segment-knn with --search ' +
        '--standardise --max-train-patches all.',
    )
    .argument('<task>', tasks.join(' or '))
    .option('--model <m>', 'a run folder, a checkpoint file, random:<preset> (untrained) or baseline:colour')
    .option('--train <spec>', 'labelled images to compare with')
    .option('--test <spec>', 'labelled images to judge on')
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option('--with-floor', 'judge the untrained encoder as well')
    .option('--size <n>', 'side of the images in pixels (default: as in training)')
    .option('--k <n>', 'neighbours that vote (knn: 10, segment-knn: 20)')
    .option('--standardise', 'standardise features with the statistics of the training images')
    .option('--seed <n>', 'seed of samples, splits and intervals (0)')
    .option('--pooling <which>', 'knn: mean of the patches (patches, default) or the global vector (global)')
    .option('--view <kind>', 'knn: resize-centre-crop (default) or resize (to a square)')
    .option('--distance <which>', 'segment-knn: cosine (default) or L2')
    .option('--search', 'segment-knn: choose k and distance on a tenth of the training images')
    .option('--max-train-patches <n>', 'segment-knn: patches that vote at most (100000), or all')
    .option('--out <folder>', 'write the result as JSON there')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--workers <n>', 'threads that decode images (default: one a core, at most 8)');
  defineAction(
    command,
    [
      'eval knn --model runs/first --train data/train --test data/test --with-floor',
      "eval segment-knn --model runs/first --train 'scenes://?split=train&count=512' --test 'scenes://?split=test&count=128'",
    ],
    async (task: string, raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = {
        task: read.argument('TASK', task, tasks),
        model: read.required('model', 'an encoder, for example --model runs/first'),
        train: read.required('train', 'labelled images to compare with'),
        test: read.required('test', 'labelled images to judge on'),
        weights: read.choice('weights', ['teacher', 'student']) ?? 'teacher',
        withFloor: read.flag('withFloor'),
        size: read.integer('size'),
        k: read.integer('k'),
        standardise: read.flag('standardise'),
        seed: read.integer('seed', 0),
        pooling: read.choice('pooling', ['patches', 'global']),
        view: read.choice('view', ['resize-centre-crop', 'resize']),
        distance: read.choice('distance', ['cosine', 'L2']),
        search: read.flag('search'),
        maxTrainPatches: raw.maxTrainPatches === 'all' ? Number.POSITIVE_INFINITY : read.integer('maxTrainPatches'),
        out: read.text('out'),
        device: read.device(),
        threads: read.integer('threads'),
        workers: read.integer('workers'),
      } as const;
      read.done('eval');
      refuseForeign(options);
      const { evaluate } = await import('../actions/eval.js');
      return evaluate(options);
    },
  );
}

/** Refuses options of the other task, and those that contradict each other, all at once. */
function refuseForeign(options: EvalOptions): void {
  const { task, pooling, view, distance, search, maxTrainPatches, k } = options;
  const given = (flags: Record<string, unknown>) =>
    Object.keys(flags).filter((flag) => flags[flag] !== undefined && flags[flag] !== false);
  const foreign =
    task === 'knn'
      ? given({ '--distance': distance, '--search': search, '--max-train-patches': maxTrainPatches })
      : given({ '--pooling': pooling, '--view': view });
  const problems = foreign.map((flag) => `${flag} is not an option of ${task}`);
  if (search) {
    problems.push(...given({ '--k': k, '--distance': distance }).map((flag) => `--search chooses ${flag} itself`));
  }
  if (problems.length === 0) return;
  throw new UsageError(`tessera eval: ${problems.join('; ')}`, { hint: 'tessera eval --help shows all options.' });
}
