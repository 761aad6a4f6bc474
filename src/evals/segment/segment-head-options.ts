import { z } from 'zod';
import { valShare } from '../measure/val-share.js';

/** Options of `segment-head`. */
export const segmentHeadOptions = z.strictObject({
  blocks: z
    .array(z.int().min(1))
    .min(1)
    .default([1, 5, 9, 13])
    .describe(
      'Blocks whose patches a head reads side by side, counted from the last, which is 1; those that an encoder lacks are left out. Of few blocks: 1,3 or 1.',
    ),
  lr: z
    .array(z.number().positive())
    .min(1)
    .default([1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5])
    .describe(
      'Learning rates for 256 images a step, a head each; they grow with the batch. Where the largest is chosen, which small encoders do, give larger ones.',
    ),
  epochs: z
    .int()
    .positive()
    .default(50)
    .describe('Passes through the training images. Of a few hundred images: 100 and more.'),
  steps: z.int().positive().optional().describe('Steps instead of epochs.'),
  batch: z.int().min(1).default(16).describe('Images a step.'),
  judgeEvery: z.int().positive().default(10).describe('Epochs between two judgements, of which the best counts.'),
  valShare,
});

export type SegmentHeadOptions = z.output<typeof segmentHeadOptions>;
