// P patches of an image · R patches of all images · D width
import type { Dataset } from '../../data/dataset.js';
import type { Features } from '../../features/extract.js';
import { UsageError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope } from '../../tensor/tensor.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { imageCounts } from '../measure/image-counts.js';
import type { EvaluationContext, Judgement } from '../task.js';
import { labelBlocks } from './label-blocks.js';
import { segmentByNeighbours } from './segment-knn.js';
import type { SegmentKnnOptions } from './segment-knn-options.js';
import { segmentationMetrics } from './segmentation-metrics.js';

/**
 * Classes of the pixels of test images by the nearest training patches. Labels that either set ignores are ignored.
 *
 * @throws {UsageError} the data sets have different pixel classes; as `segmentByNeighbours`.
 */
export async function judgeSegmentKnn(context: EvaluationContext, options: SegmentKnnOptions): Promise<Judgement> {
  const { data, size, encoder, device, seed, resamples } = context;
  checkPixelClasses(data.train, data.test);
  const request = { view: 'resize', kinds: ['patches'], pixels: true } as const;
  const train = await context.features('train', request);
  const test = await context.features('test', request);
  const { k = 20, distance = 'cosine', search, standardise } = options;
  const ignored = ignoredLabels(data.train, data.test);
  return scope(() => {
    const labelled = (features: Features) => ({
      images: features.count,
      patches_RD: ops.flatten(features.patches_NPD!, 0, 1),
      blocks: labelBlocks(features.pixels!, size, encoder.patchSize),
    });
    const testPatches = labelled(test);
    const found = segmentByNeighbours(labelled(train), testPatches, {
      choice: search ? 'search' : { k, distance },
      standardise,
      maxTrainPatches: options.maxTrainPatches === 'all' ? Number.POSITIVE_INFINITY : options.maxTrainPatches,
      ignored,
      seed,
      device,
    });
    const metrics = (weights?: Uint32Array) => segmentationMetrics(found.counts, weights);
    return {
      metrics: metrics(),
      intervals: bootstrapIntervals(test.count, metrics, { seed, resamples }),
      protocol: {
        view: 'resize',
        ...found.choice,
        search: found.search ?? false,
        ignoreLabels: [...ignored].sort((a, b) => a - b),
      },
      counts: {
        ...imageCounts(train, test),
        trainPatches: found.voters,
        trainPatchesBeforeSampling: found.candidates,
        testPatches: testPatches.patches_RD.size(0),
      },
    };
  });
}

/** Pixel labels that either data set says to ignore. */
function ignoredLabels(train: Dataset, test: Dataset): ReadonlySet<number> {
  return new Set([...(train.ignoreLabels ?? []), ...(test.ignoreLabels ?? [])]);
}

/** @throws {UsageError} both data sets name their pixel classes, and differently. */
function checkPixelClasses(train: Dataset, test: Dataset): void {
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
