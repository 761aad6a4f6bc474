// P patches of an image · R patches of all images · D width
import type { Dataset } from '../../data/dataset.js';
import type { Features } from '../../features/extract.js';
import { UsageError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { imageCounts } from '../measure/image-counts.js';
import type { EvaluationContext, Judgement } from '../task.js';
import { labelBlocks } from './label-blocks.js';
import type { LabelledPatches, PatchSettings } from './labelled-patches.js';
import type { SegmentOptions } from './segment-options.js';
import { type PixelCounts, segmentationMetrics } from './segmentation-metrics.js';

/** Patches of both data sets, and what is done with them. */
export interface SegmentInput {
  readonly train: LabelledPatches;
  readonly test: LabelledPatches;
  readonly settings: PatchSettings;
}

/** What a classifier of patches found. */
export interface SegmentFinding {
  readonly protocol: Readonly<Record<string, unknown>>;
  /** Training patches that were used, and those without an ignored label that they were sampled from. */
  readonly used: number;
  readonly candidates: number;
  /** Pixels of each test image. */
  readonly counts: readonly PixelCounts[];
}

/**
 * Judges frozen patches by a classifier of patches that is fitted to the training images. Images are resized to squares;
 * labels that either set ignores are ignored.
 *
 * @throws {UsageError} the data sets have different pixel classes; as `find`.
 */
export async function judgePatches(
  context: EvaluationContext,
  options: SegmentOptions,
  find: (input: SegmentInput) => SegmentFinding | Promise<SegmentFinding>,
): Promise<Judgement> {
  const { data, seed, resamples } = context;
  checkPixelClasses(data.train, data.test);
  const request = { view: 'resize', kinds: ['patches'], pixels: true } as const;
  const [trainFeatures, testFeatures] = [
    await context.features('train', request),
    await context.features('test', request),
  ];
  const ignored = ignoredLabels(data);
  const train = labelled(context, trainFeatures);
  const test = labelled(context, testFeatures);
  try {
    const maxTrainPatches = options.maxTrainPatches === 'all' ? Number.POSITIVE_INFINITY : options.maxTrainPatches;
    const settings = { scaler: options.scaler, maxTrainPatches, ignored, seed };
    const { protocol, used, candidates, counts } = await find({ train, test, settings });
    const metrics = (weights?: Uint32Array) => segmentationMetrics(counts, weights);
    return {
      metrics: metrics(),
      intervals: bootstrapIntervals(test.images, metrics, { seed, resamples }),
      protocol: { view: 'resize', ...protocol, ignoreLabels: [...ignored].sort((a, b) => a - b) },
      counts: {
        ...imageCounts(trainFeatures, testFeatures),
        trainPatches: used,
        trainPatchesBeforeSampling: candidates,
        testPatches: test.patches_RD.size(0),
      },
    };
  } finally {
    train.patches_RD.dispose();
    test.patches_RD.dispose();
  }
}

function labelled({ size, encoder }: EvaluationContext, features: Features): LabelledPatches {
  return {
    images: features.count,
    patches_RD: ops.flatten(features.patches_NPD!, 0, 1),
    blocks: labelBlocks(features.pixels!, size, encoder.patchSize),
  };
}

/** Labels that either set ignores. */
export function ignoredLabels({ train, test }: Readonly<Record<'train' | 'test', Dataset>>): Set<number> {
  return new Set([...(train.ignoreLabels ?? []), ...(test.ignoreLabels ?? [])]);
}

/** @throws {UsageError} both data sets name their pixel classes, and differently. */
export function checkPixelClasses(train: Dataset, test: Dataset): void {
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
