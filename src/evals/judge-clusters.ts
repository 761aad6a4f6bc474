import { UsageError } from '../support/errors.js';
import { scope } from '../tensor/tensor.js';
import { bootstrapIntervals } from './bootstrap.js';
import { classSeparation } from './class-separation.js';
import { clusterAgreement, correctlyClustered } from './cluster-agreement.js';
import { type ClusterOptions, evaluationDefaults, type Judgement } from './evaluation.js';
import { kMeans } from './k-means.js';
import { fitScaler, standardise_ } from './standardise.js';
import { extractOne } from './with-features.js';

/**
 * Agreement of k-means clusters with the classes of the test images, and how far apart these classes lie. Percentages, but
 * for the Davies-Bouldin index. Source: MIM-Refiner, appendix on clustering, which uses mini-batches and 100 runs.
 *
 * @throws {UsageError} there are fewer than two classes, or not more images than clusters.
 */
export async function judgeClusters(options: ClusterOptions): Promise<Judgement> {
  const { view = evaluationDefaults.cluster.view, pooling = evaluationDefaults.cluster.pooling } = options;
  const { runs = evaluationDefaults.cluster.runs, seed = 0, resamples = 1000, standardise = false } = options;
  const kind = pooling === 'global' ? 'global' : 'patchMean';
  const found = await extractOne(options, { view, kinds: [kind] }, options.test, 'test');
  try {
    const { labels, count } = found;
    const features_ND = found[`${kind}_ND`]!;
    const classes = new Set(labels).size;
    const { clusters = classes } = options;
    if (classes < 2 || count <= Math.max(classes, clusters)) {
      throw new UsageError(
        `Expected images of at least two classes, and more images than clusters, received ${count} images of ${classes} classes for ${clusters} clusters.`,
      );
    }
    if (standardise) scope(() => standardise_(features_ND, fitScaler(features_ND)));
    const best = kMeans(features_ND, { clusters, runs, seed });
    const { accuracy, nmi, ami, ari } = clusterAgreement(labels, best.clusters);
    const { silhouette, daviesBouldin } = classSeparation(features_ND, labels);
    const right = correctlyClustered(labels, best.clusters);
    const share = (weights: Uint32Array) => right.reduce((sum, value, i) => sum + value * weights[i]!, 0) / count;
    const shares = { accuracy, nmi, ami, ari, silhouette };
    const percentages = Object.fromEntries(Object.entries(shares).map(([name, value]) => [name, 100 * value]));
    return {
      metrics: { ...percentages, daviesBouldin },
      intervals: bootstrapIntervals(count, (weights) => ({ accuracy: 100 * share(weights) }), { seed, resamples }),
      protocol: { view, pooling, clusters, runs, method: 'k-means++, Lloyd', inertia: best.inertia },
      counts: { testImages: count, brokenImages: found.broken.length, classes },
    };
  } finally {
    found.dispose();
  }
}
