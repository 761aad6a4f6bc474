// N images · D width
import { UsageError } from '../../support/errors.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { pooledRequest, pooledRows } from '../measure/pooled-rows.js';
import { fitScaler, scaleRows } from '../measure/scalers.js';
import type { EvaluationContext, Judgement } from '../task.js';
import { classSeparation } from './class-separation.js';
import { clusterAgreement, correctlyClustered } from './cluster-agreement.js';
import type { ClusterOptions } from './cluster-options.js';
import { kMeans } from './k-means.js';
import { miniBatchKMeans } from './mini-batch-k-means.js';

/**
 * Agreement of k-means clusters with the classes of the test images, and how far apart these classes lie. Percentages, but
 * for the Davies-Bouldin index. Source: MIM-Refiner, appendix on clustering (reference section 5.11).
 *
 * @throws {UsageError} there are fewer than two classes, or not more images than clusters.
 */
export async function judgeClusters(context: EvaluationContext<'test'>, options: ClusterOptions): Promise<Judgement> {
  const found = await context.features('test', pooledRequest(context.encoder, options));
  const { labels, count, broken } = found;
  const classes = new Set(labels).size;
  const { clusters = classes } = options;
  if (classes < 2 || count <= Math.max(classes, clusters)) {
    throw new UsageError(
      `Expected images of at least two classes, and more images than clusters, received ${count} images of ${classes} classes for ${clusters} clusters.`,
    );
  }
  return scope(() => {
    const all_ND = pooledRows(found, options);
    const scaler = options.standardise ? fitScaler('StandardScaler', { all_ND }) : undefined;
    const features_ND = scaleRows({ all_ND }, scaler);
    return {
      ...judgeFeatures(features_ND, labels, { ...context, ...options, clusters }),
      counts: { testImages: count, brokenImages: broken.length, classes },
    };
  });
}

type Settings = ClusterOptions & { clusters: number } & Pick<EvaluationContext, 'seed' | 'resamples' | 'progress'>;

function judgeFeatures(
  features_ND: Tensor,
  labels: Int32Array,
  { clusters, runs, method, clusterBatch: batchSize, seed, resamples, progress }: Settings,
): Omit<Judgement, 'counts'> {
  const onRun = (done: number, total: number) => progress('k-means', done, total, 'runs');
  const best =
    method === 'lloyd'
      ? kMeans(features_ND, { clusters, runs, seed, onRun })
      : miniBatchKMeans(features_ND, { clusters, batchSize, runs, seed, onRun });
  const { accuracy, nmi, ami, ari } = clusterAgreement(labels, best.clusters);
  const { silhouette, daviesBouldin } = classSeparation(features_ND, labels);
  const right = correctlyClustered(labels, best.clusters);
  const share = (weights: Uint32Array) => right.reduce((sum, value, i) => sum + value * weights[i]!, 0) / labels.length;
  const shares = { accuracy, nmi, ami, ari, silhouette };
  const percentages = Object.fromEntries(Object.entries(shares).map(([name, value]) => [name, 100 * value]));
  return {
    metrics: { ...percentages, daviesBouldin },
    intervals: bootstrapIntervals(labels.length, (weights) => ({ accuracy: 100 * share(weights) }), {
      seed,
      resamples,
    }),
    protocol: { clusters, start: 'k-means++', inertia: best.inertia, iterations: best.iterations },
  };
}
