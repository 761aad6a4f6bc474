import { z } from 'zod';

/** The option of tasks that train heads. */
export const valShare = z
  .number()
  .min(0)
  .lt(1)
  .default(0.1)
  .describe(
    'Share of the training images that choose among the heads; 0: the test images choose, as MIM-Refiner published.',
  );
