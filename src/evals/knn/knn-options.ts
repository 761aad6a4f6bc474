import { z } from 'zod';
import { poolingOptions } from '../measure/pooling-options.js';

/** Options of `knn`. */
export const knnOptions = z.strictObject({
  k: z.int().min(1).default(10).describe('Neighbours that vote.'),
  temperature: z.number().positive().default(0.07).describe('Of the weights of neighbours.'),
  standardise: z.boolean().default(false).describe('Standardise features with the statistics of the training images.'),
  ...poolingOptions,
});

export type KnnOptions = z.output<typeof knnOptions>;
