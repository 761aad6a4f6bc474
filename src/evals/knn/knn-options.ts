import { z } from 'zod';
import { openPoolingOptions } from '../measure/pooling-options.js';

/** Options of `knn`. What a protocol settles may still be given. */
export const knnOptions = z.strictObject({
  protocol: z
    .enum(['plain', 'capi', 'mim-refiner'])
    .default('plain')
    .describe(
      'Settles what is not given: plain (the mean of patches), capi (its first predictor layer, k 20), or mim-refiner (the class token of the last block before the norm, standardised; without a class token the mean of patches).',
    ),
  k: z
    .array(z.int().min(1))
    .min(1)
    .optional()
    .describe('Neighbours that vote (10, capi: 20); of several the first counts, and all are told.'),
  temperature: z
    .union([z.number().positive(), z.literal('infinite')])
    .default(0.07)
    .describe('Of the weights of neighbours; infinite: every neighbour has one vote.'),
  distance: z
    .enum(['cosine', 'L2'])
    .default('cosine')
    .describe('How near features are; neighbours weigh exp(-distance / temperature).'),
  standardise: z
    .boolean()
    .default(false)
    .describe('Standardise features with the statistics of the training images; mim-refiner does.'),
  ...openPoolingOptions,
});

export type KnnOptions = z.output<typeof knnOptions>;
