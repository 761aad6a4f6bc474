import type { Dataset } from '../data/dataset.js';
import { checkSize } from '../features/extract.js';
import { DataError, UsageError } from '../support/errors.js';
import type { EvaluateOptions, EvaluationResult, Judgement } from './evaluation.js';
import { judgeClassification } from './judge-classification.js';
import { judgeClusters } from './judge-clusters.js';
import { judgeSegmentation } from './judge-segmentation.js';

/**
 * Judges a frozen encoder by nearest neighbours, classes of images (`knn`) or of pixels (`segment-knn`), or by how images
 * of a class lie together (`cluster`), with 95 % intervals, and the untrained encoder beside it if given. The caller keeps the encoders. Memory: the features of both
 * data sets (see `extractFeatures`) and a copy of the patches that vote.
 *
 * @throws {UsageError} size, k or search do not fit the data. @throws {DataError} labels are missing or do not match.
 */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationResult> {
  const { task, encoder, floor, test, size, standardise = false, seed = 0, resamples = 1000 } = options;
  checkSize(size, encoder.patchSize);
  checkLabels(options);
  const judged = await judge(options);
  const below = floor && (await judge(asFloor(options)));
  return {
    task,
    metrics: judged.metrics,
    intervals: judged.intervals,
    ...(below && { floor: below.metrics, floorIntervals: below.intervals }),
    protocol: {
      ...(options.task !== 'cluster' && { train: options.train.spec }),
      test: test.spec,
      size,
      patchSize: encoder.patchSize,
      standardise,
      ...judged.protocol,
      seed,
      intervals: { percent: 95, method: 'bootstrap over test images, percentiles', resamples },
    },
    counts: judged.counts,
  };
}

function judge(options: EvaluateOptions): Promise<Judgement> {
  if (options.task === 'cluster') return judgeClusters(options);
  return options.task === 'knn' ? judgeClassification(options) : judgeSegmentation(options);
}

function asFloor(options: EvaluateOptions): EvaluateOptions {
  const { onProgress } = options;
  return {
    ...options,
    encoder: options.floor!,
    ...(onProgress && { onProgress: (stage, done, total) => onProgress(`floor ${stage}`, done, total) }),
  };
}

/** Says everything at once. */
function checkLabels(options: EvaluateOptions): void {
  const { task, test } = options;
  const sets = options.task === 'cluster' ? [test] : [options.train, test];
  const need = task === 'segment-knn' ? 'pixel labels' : 'class labels';
  const has = (set: Dataset) => (task !== 'segment-knn' ? set.classes !== undefined : set.item(0).pixels !== undefined);
  const without = [...new Set(sets.filter((set) => !has(set)).map((set) => set.spec))];
  if (without.length > 0) {
    throw new DataError(
      `${task} needs ${need}, which ${without.join(' and ')} ${without.length > 1 ? 'lack' : 'lacks'}.`,
      {
        hint:
          task !== 'segment-knn'
            ? 'Give a folder with one sub-folder per class, or another labelled data set.'
            : 'Give segmentation:///path?images=…&labels=…, or scenes://.',
      },
    );
  }
  if (options.task !== 'segment-knn') return;
  const { train } = options;
  if (!train.pixelClasses || !test.pixelClasses) return;
  if (train.pixelClasses.join('\n') === test.pixelClasses.join('\n')) return;
  throw new UsageError(
    `Expected the same pixel classes in both data sets, received ${train.pixelClasses.length} in ${train.spec} ` +
      `(${listed(train.pixelClasses)}) and ${test.pixelClasses.length} in ${test.spec} (${listed(test.pixelClasses)}).`,
  );
}

function listed(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(', ')}, …` : names.join(', ');
}
