import { availableParallelism } from 'node:os';
import type { Dataset } from '../data/dataset.js';
import { matchClasses } from '../evals/measure/match-classes.js';
import { evaluationView } from '../features/extraction-pass.js';
import type { FinetuneConfig } from '../methods/finetune/finetune-config.js';
import type { KnownEncoder } from '../models/encoder-kinds.js';
import { DataError } from '../support/errors.js';
import type { Method } from '../train/method.js';
import type { Judging } from './classifier-judge.js';
import type { FinetuningEntry, MethodOptions, RunPlan } from './methods.js';

/** What `tessera finetune` trains on, and judges on. */
export interface FinetuningData {
  readonly train: Dataset;
  readonly test: Dataset | undefined;
}

/** A fine-tuning run that can begin. */
export interface FittedFinetuning {
  readonly plan: RunPlan;
  readonly create: (options: MethodOptions) => Method<unknown>;
  readonly judging: Judging | undefined;
  readonly classes: readonly string[];
}

/**
 * Checks a fine-tuning recipe against encoder and images.
 * @throws {DataError} labels are missing or do not match. @throws {ConfigError} the recipe does not fit.
 */
export function fitFinetuning(
  entry: FinetuningEntry,
  config: FinetuneConfig,
  encoder: KnownEncoder,
  { train, test }: FinetuningData,
): FittedFinetuning {
  const classes = labelled(train);
  const images = train.size;
  // What the end of a long training would refuse is refused before it.
  if (test) {
    const labels = Int32Array.from({ length: test.size }, (_, i) => test.item(i).label ?? -1);
    matchClasses(labels, labelled(test), classes);
  }
  entry.check(config, encoder, images);
  return {
    plan: entry.plan(config, images),
    create: (options) =>
      entry.create(config, { ...options, encoder, images, classes: classes.length }) as Method<unknown>,
    judging: test && {
      test,
      classes,
      every: entry.judgeEvery(config, images),
      view: evaluationView(config.data.testView, config.data.imageSize),
      workers: config.data.workers ?? Math.min(8, availableParallelism()),
      seed: config.seed,
    },
    classes,
  };
}

function labelled({ classes, spec }: Dataset): readonly string[] {
  if (classes === undefined)
    throw new DataError(`finetune needs class labels, which ${spec} lacks.`, {
      hint: 'Give a folder with one sub-folder per class, or another labelled data set.',
    });
  if (classes.length < 2)
    throw new DataError(`Expected images of at least 2 classes, ${spec} has only ${classes.join(', ')}.`, {
      hint: 'Give a folder with one sub-folder per class.',
    });
  return classes;
}
