import type { z } from 'zod';
import type { ProcessGroup } from '../distributed/process-group.js';
import { Capi } from '../methods/capi/capi.js';
import { type CapiConfig, capiRecipe, networkOptions } from '../methods/capi/capi-config.js';
import { ConfigError } from '../support/errors.js';
import { suggestion } from '../support/nearest-name.js';
import type { Method } from '../train/method.js';
import type { TrainConfig } from '../train/train-config.js';

/** What the loop needs of any recipe, whatever its method. */
export interface RecipeCore {
  readonly method: string;
  readonly seed: number;
  readonly data: { readonly imageSize: number; readonly workers?: number | undefined };
  readonly optim: { readonly steps: number; readonly batchSize: number; readonly accumulate: number };
  readonly train: TrainConfig;
}

/** A training method as recipes name it. */
export interface MethodEntry<Config extends RecipeCore = RecipeCore> {
  readonly schema: z.ZodType<Config>;
  /** @throws {ConfigError} values that are valid alone and not together, all at once. */
  readonly check: (config: Config) => void;
  readonly create: (config: Config, options: { device?: string; group?: ProcessGroup }) => Method<unknown>;
}

const capi: MethodEntry<CapiConfig> = {
  schema: capiRecipe,
  check: (config) => void networkOptions(config),
  create: (config, options) => new Capi(config, options) as Method<unknown>,
};

const methods: Readonly<Record<string, MethodEntry>> = { capi: capi as unknown as MethodEntry };

/** The method that a recipe names. @throws {ConfigError} it names none that exists. */
export function methodOf(name: unknown): MethodEntry {
  const found = typeof name === 'string' ? methods[name] : undefined;
  if (found) return found;
  const known = Object.keys(methods);
  throw new ConfigError(
    name === undefined
      ? `The recipe names no method: expected method: ${known.join(' or ')}.`
      : `Expected one of the methods ${known.join(', ')}, received ${String(name)}${suggestion(String(name), known)}.`,
    { hint: 'Start from one of the recipes that come with Tessera.' },
  );
}
