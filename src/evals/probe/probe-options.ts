import { z } from 'zod';
import { poolingOptions } from '../measure/pooling-options.js';
import { valShare } from '../measure/val-share.js';

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
  valShare,
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
