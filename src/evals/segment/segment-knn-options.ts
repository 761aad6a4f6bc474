import { z } from 'zod';
import { scalerOption, trainPatchOptions } from './segment-options.js';

/** Options of `segment-knn`. */
export const segmentKnnOptions = z
  .strictObject({
    k: z.int().min(1).optional().describe('Neighbours that vote: 20 unless given or searched.'),
    distance: z.enum(['cosine', 'L2']).optional().describe('How near patches are: by cosine unless given or searched.'),
    search: z.boolean().default(false).describe('Choose k and distance on a tenth of the training images.'),
    scaler: scalerOption('none'),
    ...trainPatchOptions,
  })
  .check(({ value, issues }) => {
    for (const key of ['k', 'distance'] as const) {
      if (value.search && value[key] !== undefined) {
        issues.push({ code: 'custom', path: [key], message: `the search chooses ${key} itself`, input: value });
      }
    }
  });

export type SegmentKnnOptions = z.output<typeof segmentKnnOptions>;
