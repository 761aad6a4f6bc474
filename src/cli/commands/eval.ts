import type { Command } from 'commander';
import { UsageError } from '../../support/errors.js';
import type { EvalOptions } from '../actions/eval.js';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

const tasks = ['knn', 'segment-knn', 'cluster'] as const;

/** `tessera eval`. */
export function register(program: Command): void {
  const command = program
    .command('eval')
    .summary('judge an encoder with the published protocols')
    .description(
      'Judges a frozen encoder: knn (classes of images) or segment-knn (classes of patches), both with nearest ' +
        'neighbours in the training images; cluster (k-means against the classes of images, and how far apart these ' +
        'lie). Percentages with 95 % intervals. CAPI published segment-knn with --search --standardise ' +
        '--max-train-patches all.',
    )
    .argument('<task>', tasks.join(', '))
    .option('--model <m>', 'a run folder, a weights file, random:<preset> (untrained) or baseline:colour')
    .option('--train <spec>', 'knn, segment-knn: labelled images to compare with')
    .option('--test <spec>', 'labelled images to judge on')
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option('--with-floor', 'judge the untrained encoder as well')
    .option('--size <n>', 'side of the images in pixels (default: as in training)')
    .option('--k <n>', 'neighbours that vote (knn: 10, segment-knn: 20)')
    .option('--standardise', 'standardise features with the statistics of the training images')
    .option('--seed <n>', 'seed of samples, splits and intervals (0)')
    .option('--pooling <which>', 'knn, cluster: mean of the patches (patches, default) or the global vector (global)')
    .option('--view <kind>', 'knn, cluster: resize-centre-crop (default) or resize (to a square)')
    .option('--distance <which>', 'segment-knn: cosine (default) or L2')
    .option('--search', 'segment-knn: choose k and distance on a tenth of the training images')
    .option('--max-train-patches <n>', 'segment-knn: patches that vote at most (100000), or all')
    .option('--clusters <n>', 'cluster: number of clusters (as many as classes)')
    .option('--runs <n>', 'cluster: runs of k-means, of which the best counts (10)')
    .option('--out <folder>', 'write the result as JSON there')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--workers <n>', 'threads that decode images (default: one a core, at most 8)');
  defineAction(
    command,
    [
      'eval knn --model runs/first --train data/train --test data/test --with-floor',
      'eval cluster --model runs/first --test data/test',
      "eval segment-knn --model runs/first --train 'scenes://?split=train&count=512' --test 'scenes://?split=test&count=128'",
    ],
    async (task: string, raw: RawOptions) => {
      const options = readOptions(task, raw);
      refuseForeign(options);
      const { evaluate } = await import('../actions/eval.js');
      return evaluate(options);
    },
  );
}

function readOptions(task: string, raw: RawOptions): EvalOptions {
  const read = new OptionReader(raw);
  const options = {
    task: read.argument('TASK', task, tasks),
    model: read.required('model', 'an encoder, for example --model runs/first'),
    train: task === 'cluster' ? read.text('train') : read.required('train', 'labelled images to compare with'),
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
    clusters: read.integer('clusters'),
    runs: read.integer('runs'),
    out: read.text('out'),
    device: read.device(),
    threads: read.integer('threads'),
    workers: read.integer('workers'),
  } as const;
  read.done('eval');
  return options;
}

/** Refuses options of other tasks, and those that contradict each other, all at once. */
function refuseForeign(options: EvalOptions): void {
  const { task, search, k, distance } = options;
  const given = (flags: Record<string, unknown>) =>
    Object.keys(flags).filter((flag) => flags[flag] !== undefined && flags[flag] !== false);
  const { train, pooling, view, clusters, runs, maxTrainPatches } = options;
  const flags = {
    knn: { '--pooling': pooling, '--view': view, '--train': train, '--k': k },
    'segment-knn': { '--train': train, '--k': k, '--distance': distance, '--search': search },
    cluster: { '--pooling': pooling, '--view': view, '--clusters': clusters, '--runs': runs },
  };
  const all = { ...flags.knn, ...flags['segment-knn'], ...flags.cluster, '--max-train-patches': maxTrainPatches };
  const own = [...Object.keys(flags[task]), ...(task === 'segment-knn' ? ['--max-train-patches'] : [])];
  const problems = given(all)
    .filter((flag) => !own.includes(flag))
    .map((flag) => `${flag} is not an option of ${task}`);
  if (search) {
    problems.push(...given({ '--k': k, '--distance': distance }).map((flag) => `--search chooses ${flag} itself`));
  }
  if (problems.length === 0) return;
  throw new UsageError(`tessera eval: ${problems.join('; ')}`, { hint: 'tessera eval --help shows all options.' });
}
