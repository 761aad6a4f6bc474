// N images · P patches of an image · R patches of all images · D width
import type { Features } from '../features/extract.js';
import * as ops from '../tensor/ops.generated.js';
import { scope } from '../tensor/tensor.js';
import { bootstrapIntervals } from './bootstrap.js';
import { evaluationDefaults, type Judgement, type SegmentKnnOptions } from './evaluation.js';
import { labelBlocks } from './label-blocks.js';
import { segmentByNeighbours } from './segment-knn.js';
import { segmentationMetrics } from './segmentation-metrics.js';
import { imageCounts, withFeatures } from './with-features.js';

/** Classes of the pixels of test images by the nearest training patches. Labels that either set ignores are ignored. */
export function judgeSegmentation(options: SegmentKnnOptions): Promise<Judgement> {
  return withFeatures(options, { view: 'resize', kinds: ['patches'], pixels: true }, (train, test) =>
    scope(() => judgeFeatures(options, train, test)),
  );
}

function judgeFeatures(options: SegmentKnnOptions, train: Features, test: Features): Judgement {
  const defaults = evaluationDefaults.segmentKnn;
  const { k = defaults.k, distance = defaults.distance, maxTrainPatches = defaults.maxTrainPatches } = options;
  const { search = false, standardise = false, seed = 0, resamples = 1000, device = 'cpu' } = options;
  const ignored = new Set([...(options.train.ignoreLabels ?? []), ...(options.test.ignoreLabels ?? [])]);
  const labelled = (features: Features) => ({
    images: features.count,
    patches_RD: ops.flatten(features.patches_NPD!, 0, 1),
    blocks: labelBlocks(features.pixels!, options.size, options.encoder.patchSize),
  });
  const testPatches = labelled(test);
  const found = segmentByNeighbours(labelled(train), testPatches, {
    choice: search ? 'search' : { k, distance },
    standardise,
    maxTrainPatches,
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
      ...(found.search && { search: found.search }),
      ignoreLabels: [...ignored].sort((a, b) => a - b),
      maxTrainPatches: Number.isFinite(maxTrainPatches) ? maxTrainPatches : 'all',
    },
    counts: {
      ...imageCounts(train, test),
      trainPatches: found.voters,
      trainPatchesBeforeSampling: found.candidates,
      testPatches: testPatches.patches_RD.size(0),
    },
  };
}
