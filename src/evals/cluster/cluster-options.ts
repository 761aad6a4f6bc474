import { z } from 'zod';
import { poolingOptions } from '../measure/pooling-options.js';

/** Options of `cluster`. */
export const clusterOptions = z.strictObject({
  clusters: z.int().min(1).optional().describe('Number of clusters (as many as classes unless given).'),
  runs: z.int().min(1).default(10).describe('Runs of k-means, of which the best counts.'),
  standardise: z.boolean().default(false).describe('Standardise features first.'),
  ...poolingOptions,
});

export type ClusterOptions = z.output<typeof clusterOptions>;
