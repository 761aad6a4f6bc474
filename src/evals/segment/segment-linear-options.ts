import { z } from 'zod';
import { scalerOption, trainPatchOptions } from './segment-options.js';

/** Options of `segment-linear`. */
export const segmentLinearOptions = z.strictObject({
  c: z
    .number()
    .positive()
    .optional()
    .describe(
      'Inverse strength of the penalty: the best of eight from 1e-6 to 1e5 on a tenth of the training images unless given.',
    ),
  scaler: scalerOption('StandardScaler'),
  ...trainPatchOptions,
});

export type SegmentLinearOptions = z.output<typeof segmentLinearOptions>;
