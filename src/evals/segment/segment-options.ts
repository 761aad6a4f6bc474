import { z } from 'zod';
import { type ScalerName, scalerNames } from '../measure/scaler-names.js';

/** Options of every classifier of frozen patches, but the scaler's default, which the protocols have different. */
export const trainPatchOptions = {
  maxTrainPatches: z
    .union([z.int().min(1), z.literal('all')])
    .default(100_000)
    .describe('Training patches that are used at most; more are sampled down.'),
};

/** How features are scaled. */
export function scalerOption(standard: ScalerName) {
  return z
    .enum(scalerNames)
    .default(standard)
    .describe('How features are scaled, with the statistics of the training images.');
}

export interface SegmentOptions {
  readonly scaler: ScalerName;
  readonly maxTrainPatches: number | 'all';
}
