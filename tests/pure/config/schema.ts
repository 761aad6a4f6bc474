import { z } from 'zod';
import { parseRecipe } from '../../../src/config/recipe.js';

/** A schema with one of everything that recipes use. */
export const exampleSchema = z.strictObject({
  method: z.literal('capi'),
  data: z
    .strictObject({
      size: z.int().min(16).multipleOf(2).default(224).describe('Side of a crop | pixels.'),
      scale: z.array(z.number().min(0).max(1)).length(2).default([0.6, 1]),
    })
    .prefault({}),
  masking: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('block'), ratio: z.number().gt(0).lt(1).default(0.65) }),
      z.strictObject({ kind: z.literal('random'), count: z.int() }),
    ])
    .prefault({ kind: 'block' }),
  optimizer: z.strictObject({
    lr: z.number().positive().describe('Peak learning rate.'),
    clip: z.number().positive().nullable().default(null),
    schedule: z.enum(['cosine', 'linear']).default('cosine'),
  }),
  note: z.string().optional(),
  weights: z.record(z.string(), z.number()).default({}),
  amp: z.union([z.boolean(), z.literal('auto')]).default('auto'),
  stages: z.array(z.strictObject({ at: z.int(), lr: z.number() })).default([]),
});

/** The smallest valid recipe. */
export const smallRecipe = parseRecipe('method: capi\noptimizer:\n  lr: 1e-3\n', 'small.yaml');
