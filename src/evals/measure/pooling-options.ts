import { z } from 'zod';

/** What stands for an image, what it is taken from, and how images are cut: of tasks that judge one vector an image. */
const choices = {
  pooling: z
    .enum(['patches', 'global', 'class', 'registers'])
    .describe(
      'What stands for an image: the mean of its patches, its global vector (of CAPI the mean of the first predictor layer), its class token, or the mean of its registers.',
    ),
  layers: z
    .enum(['output', 'last', 'last-4'])
    .describe(
      'Where it is taken: from the output, or before the final norm from the last block or, side by side, the last four.',
    ),
  view: z
    .enum(['resize-centre-crop', 'resize'])
    .describe('How images are cut: the central square of the enlarged image, as published, or all of it, made square.'),
};

export type Pooling = z.output<typeof choices.pooling>;
export type Layers = z.output<typeof choices.layers>;

/** Options of tasks that judge one vector an image. */
export const poolingOptions = {
  pooling: choices.pooling.default('patches'),
  layers: choices.layers.default('output'),
  view: choices.view.default('resize-centre-crop'),
};

/** The same where something else has a say in what is not given. */
export const openPoolingOptions = {
  pooling: choices.pooling.optional(),
  layers: choices.layers.optional(),
  view: poolingOptions.view,
};

/** The kind of feature that a pooling needs. */
export function pooledKind<Of extends Pooling>(pooling: Of): PooledKind<Of> {
  return (pooling === 'patches' ? 'patchMean' : pooling) as PooledKind<Of>;
}

type PooledKind<Of extends Pooling> = Of extends 'patches' ? 'patchMean' : Of;
