import { z } from 'zod';
import { poolingOptions } from '../measure/pooling-options.js';

const length = {
  epochs: z
    .int()
    .positive()
    .default(50)
    .describe('Passes through the training images; MIM-Refiner published 50, CAPI 11 of ImageNet.'),
  steps: z.int().positive().optional().describe('Steps instead of epochs.'),
  batch: z
    .int()
    .min(2)
    .default(256)
    .describe('Images a step; learning rates grow with it. Published for ImageNet: 1024.'),
  valShare: z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe(
      'Share of the training images that choose among the heads; 0: the test images choose, as MIM-Refiner published.',
    ),
  view: poolingOptions.view,
};

/** Options of `linear`. */
export const linearOptions = z.strictObject({
  grid: z
    .enum(['mim', 'capi'])
    .default('mim')
    .describe('Whose heads: 13 learning rates for each feature (SGD, batch norm), or 30 settings for each (AdamW).'),
  ...length,
});

/** Options of `attentive`. */
export const attentiveOptions = z.strictObject(length);

/** What both have. */
export type ProbeOptions = z.output<typeof attentiveOptions>;
