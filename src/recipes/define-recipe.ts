import type { z } from 'zod';
import type { capiRecipe } from '../methods/capi/capi-config.js';

/** A recipe in code: the keys of a recipe file, checked by the compiler; what is left out has the published default. */
export type Recipe = z.input<typeof capiRecipe>;

/**
 * Types a recipe written in code, for `pretrain({ recipe: defineRecipe({ … }) })`.
 *
 * @example
 * const recipe = defineRecipe({ method: 'capi', model: { preset: 'vit-s' }, optim: { steps: 10_000, batchSize: 256 } });
 */
export function defineRecipe(recipe: Recipe): Recipe {
  return recipe;
}
