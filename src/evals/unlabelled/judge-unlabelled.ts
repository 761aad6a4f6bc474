// N images · D width · K prototypes
import { unitRows } from '../../features/feature-spread.js';
import { UsageError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { pooledRequest, pooledRows } from '../measure/pooled-rows.js';
import type { EvaluationContext, Judgement } from '../task.js';
import { cropScatter } from './crop-scatter.js';
import { lidar, rankMe } from './effective-rank.js';
import { patchStatistics, spreadFrom } from './patch-statistics.js';
import type { UnlabelledOptions } from './unlabelled-options.js';

/**
 * How rich features are. The spread of images has an interval; effective ranks have none, for images that are drawn twice
 * lower them by themselves.
 *
 * @throws {UsageError} there are fewer than two images; the encoder lacks what stands for an image.
 */
export async function judgeUnlabelled(
  context: EvaluationContext<'test'>,
  options: UnlabelledOptions,
): Promise<Judgement> {
  const { device, seed, resamples, prototypes } = context;
  const { kinds, ...request } = pooledRequest(context.encoder, options);
  const found = await context.features('test', { ...request, kinds: [...kinds, 'patches'] });
  const { count, broken } = found;
  if (count < 2) throw new UsageError(`Expected two images or more, received ${count}.`);
  const scatter = await cropScatter(context, options, options.lidarViews, options.lidarImages);
  return scope(() => {
    const features_ND = pooledRows(found, options);
    const ranks = { rankMe: rankMe(features_ND), lidar: lidar(scatter) };
    for (const tensor of Object.values(scatter) as Tensor[]) tensor.dispose();
    const unit_ND = ops.to(unitRows(features_ND), 'float64');
    const spread = (weights: Float64Array) => {
      const sum = scope(() => ops.matmul(Tensor.from(weights, [1, count]), unit_ND).numbers());
      return { spread: spreadFrom(sum, count) };
    };
    const patches = patchStatistics(found.patches_NPD!, device, prototypes);
    return {
      metrics: {
        ...ranks,
        ...spread(new Float64Array(count).fill(1)),
        patchSpread: patches.spread,
        ...(patches.usage && usageMetrics(patches.usage)),
      },
      intervals: bootstrapIntervals(count, (weights) => spread(Float64Array.from(weights)), { seed, resamples }),
      protocol: { width: features_ND.size(1), ...(patches.usage && { prototypes: patches.usage.length }) },
      counts: { testImages: count, brokenImages: broken.length },
    };
  });
}

/** Share of prototypes that are closest to a patch, and the exponential of the entropy of how often each is. */
function usageMetrics(usage: Float64Array): { prototypesInUse: number; prototypePerplexity: number } {
  const total = usage.reduce((sum, count) => sum + count, 0);
  const used = usage.filter((count) => count > 0);
  const entropy = -used.reduce((sum, count) => sum + (count / total) * Math.log(count / total), 0);
  return { prototypesInUse: (100 * used.length) / usage.length, prototypePerplexity: Math.exp(entropy) };
}
