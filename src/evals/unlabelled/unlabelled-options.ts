import { z } from 'zod';
import { poolingOptions } from '../measure/pooling-options.js';

/** Options of `unlabelled`. */
export const unlabelledOptions = z.strictObject({
  lidarViews: z
    .int()
    .min(2)
    .default(10)
    .describe('Crops of an image whose features LiDAR holds together (published: 50).'),
  lidarImages: z
    .int()
    .min(2)
    .default(1000)
    .describe('Images that LiDAR looks at, at most; evenly spread over the data.'),
  ...poolingOptions,
});

export type UnlabelledOptions = z.output<typeof unlabelledOptions>;
