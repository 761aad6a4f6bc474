import { z } from 'zod';
import { poolingOptions } from '../measure/pooling-options.js';

/** Options of `cluster`. */
export const clusterOptions = z.strictObject({
  clusters: z.int().min(1).optional().describe('Number of clusters (as many as classes unless given).'),
  runs: z.int().min(1).default(10).describe('Runs of k-means, of which the best counts.'),
  method: z
    .enum(['lloyd', 'mini-batch'])
    .default('lloyd')
    .describe('How centres move: to the means of all their images, or with mini-batches.'),
  clusterBatch: z.int().min(1).default(1024).describe('Images of a mini-batch.'),
  standardise: z.boolean().default(false).describe('Standardise features first.'),
  ...poolingOptions,
});

export type ClusterOptions = z.output<typeof clusterOptions>;
