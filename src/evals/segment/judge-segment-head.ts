import type { Features } from '../../features/extract.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { hasClassToken } from '../measure/has-class-token.js';
import { imageCounts } from '../measure/image-counts.js';
import { splitImages } from '../measure/split-images.js';
import type { EvaluationContext, Judgement } from '../task.js';
import { type PatchSource, readPatches } from './block-patches.js';
import { checkPixelClasses, ignoredLabels } from './judge-segment.js';
import { labelBlocks } from './label-blocks.js';
import type { SegmentHeadOptions } from './segment-head-options.js';
import { type HeadImages, type SegmentHead, segmentByHeads } from './segment-heads.js';
import { segmentationMetrics } from './segmentation-metrics.js';

/**
 * Classes of the pixels of test images by linear heads behind a batch norm, of which the best on held-out images counts.
 *
 * @throws {UsageError} the data sets have different pixel classes, or too few images are left to train on.
 * @throws as `segmentByHeads`.
 */
export async function judgeSegmentHead(
  context: EvaluationContext<'train' | 'test'>,
  options: SegmentHeadOptions,
): Promise<Judgement> {
  const { data, encoder, seed, resamples } = context;
  checkPixelClasses(data.train, data.test);
  const blocks = [...new Set(options.blocks.map((back) => encoder.depth - back))]
    .filter((block) => block >= 0)
    .sort((a, b) => a - b);
  const sources: PatchSource[] = hasClassToken(context) ? ['patches', 'class_patches'] : ['patches'];
  const kinds = sources.length > 1 ? (['patches', 'class'] as const) : (['patches'] as const);
  const what = blocks.length > 0 ? { kinds: [], blocks: { of: blocks, kinds } } : { kinds };
  const request = { view: 'resize', ...what, pixels: true } as const;
  const trainFeatures = await context.features('train', request);
  const testFeatures = await context.features('test', request);
  const split = splitImages(trainFeatures.count, options.valShare, { seed, least: 1 });
  const batchSize = Math.min(options.batch, split.trainIndices.length);
  const epoch = Math.floor(split.trainIndices.length / batchSize);
  const { steps = options.epochs * epoch } = options;
  const ignored = ignoredLabels(data);
  const images = (features: Features) => headImages(context, features, sources);
  const found = await segmentByHeads({
    ...{ train: images(trainFeatures), test: images(testFeatures), ...split, ignored, seed, batchSize, steps },
    area: encoder.patchSize ** 2,
    grid: sources.flatMap((source) => options.lr.map((lr) => ({ source, lr, weightDecay: 0 }))),
    judgeBatch: context.batchSize,
    judgeEvery: options.judgeEvery * epoch,
    device: context.device,
    onProgress: context.progress,
  });
  const metrics = (weights?: Uint32Array) => segmentationMetrics(found.counts, weights);
  const plain = ({ spec, val, steps: at }: SegmentHead) => ({ source: spec.source, lr: spec.lr, val, steps: at });
  return {
    metrics: metrics(),
    intervals: bootstrapIntervals(testFeatures.count, metrics, { seed, resamples }),
    protocol: {
      view: 'resize',
      chosenOn: split.valIndices.length > 0 ? 'val' : 'test',
      chosen: plain(found.best),
      readBlocks: blocks,
      trainedSteps: steps,
      loss: found.loss,
      ignoreLabels: [...ignored].sort((a, b) => a - b),
    },
    counts: {
      ...imageCounts(trainFeatures, testFeatures),
      trainImages: split.trainIndices.length,
      valImages: split.valIndices.length,
      classes: found.classes,
      heads: sources.length * options.lr.length,
    },
    details: { heads: found.heads.map(plain) },
  };
}

function headImages(
  { size, encoder, device }: EvaluationContext,
  features: Features,
  sources: readonly PatchSource[],
): HeadImages {
  return {
    count: features.count,
    blocks: labelBlocks(features.pixels!, size, encoder.patchSize),
    read: (images) => readPatches(features, sources, images, device),
  };
}
