import { z } from 'zod';

/** Options of the loop, the same for every method. None of them changes what a step computes. */
export const trainSection = z
  .strictObject({
    logEvery: z.int().positive().default(20).describe('Steps between two records of the metrics.'),
    checkpointEvery: z
      .int()
      .positive()
      .default(500)
      .describe('Steps between two checkpoints; the last step always writes one.'),
    keepCheckpoints: z.int().positive().default(3).describe('Checkpoints that are kept; older ones are deleted.'),
    maxNonFinite: z
      .int()
      .nonnegative()
      .default(2)
      .describe('Steps in a row whose loss may be infinite or not a number before the run stops with its state saved.'),
  })
  .describe('The training loop.');

export type TrainConfig = z.output<typeof trainSection>;
