import { z } from 'zod';

/** Options of tasks that judge one vector an image. */
export const poolingOptions = {
  pooling: z
    .enum(['patches', 'global'])
    .default('patches')
    .describe('What stands for an image: the mean of its patches, or its global vector.'),
  view: z
    .enum(['resize-centre-crop', 'resize'])
    .default('resize-centre-crop')
    .describe('How images are cut: the central square of the enlarged image, as published, or all of it, made square.'),
};

/** The kind of feature that a pooling needs. */
export function pooledKind(pooling: 'patches' | 'global'): 'patchMean' | 'global' {
  return pooling === 'global' ? 'global' : 'patchMean';
}
