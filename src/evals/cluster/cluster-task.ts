import { percent } from '../measure/metric-infos.js';
import { defineTask } from '../task.js';
import { clusterOptions } from './cluster-options.js';

/** `tessera eval cluster`. */
export const cluster = defineTask({
  name: 'cluster',
  summary: 'k-means against the classes of images',
  description:
    'Whether images of a class lie together: agreement of k-means clusters with the classes (ACC, NMI, AMI, ARI), and how ' +
    'far apart the classes themselves lie (silhouette, Davies-Bouldin). MIM-Refiner published --method mini-batch ' +
    '--runs 100 --pooling global.',
  examples: ['--model runs/first --test data/test'],
  options: clusterOptions,
  data: { test: { labels: 'classes', help: 'labelled images to judge on' } },
  metrics: {
    accuracy: percent('accuracy'),
    nmi: percent('NMI'),
    ami: percent('AMI'),
    ari: percent('ARI'),
    silhouette: percent('silhouette'),
    daviesBouldin: { name: 'Davies-Bouldin', unit: '', better: 'lower' },
  },
  async judge(context, options) {
    const { judgeClusters } = await import('./judge-clusters.js');
    return judgeClusters(context, options);
  },
});
