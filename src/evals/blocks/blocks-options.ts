import { z } from 'zod';
import { trainPatchOptions } from '../segment/segment-options.js';

/** Options of `blocks`. */
export const blocksOptions = z.strictObject({
  blocks: z.array(z.int().min(0)).min(1).optional().describe('Blocks to judge, counted from 0 (all unless given).'),
  k: z.int().min(1).default(10).describe('Neighbours of an image that vote.'),
  temperature: z.number().positive().default(0.07).describe('Of the weights of neighbours of an image.'),
  pooling: z
    .enum(['patches', 'class'])
    .optional()
    .describe(
      'What stands for an image: its class token, or the mean of its patches (the former where there is one, as published).',
    ),
  view: z
    .enum(['resize-centre-crop', 'resize'])
    .optional()
    .describe(
      'How images are cut whose classes are judged: as published the central square, unless pixels are judged as well, for which all of the image is made square.',
    ),
  segmentK: z.int().min(1).default(20).describe('Neighbours of a patch that vote.'),
  ...trainPatchOptions,
});

export type BlocksOptions = z.output<typeof blocksOptions>;
