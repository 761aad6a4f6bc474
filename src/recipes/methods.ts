import type { z } from 'zod';
import type { View } from '../data/views.js';
import type { ProcessGroup } from '../distributed/process-group.js';
import type { Masking } from '../masks/masked-batch.js';
import { Capi } from '../methods/capi/capi.js';
import { type CapiConfig, capiMasks, capiRecipe, networkOptions } from '../methods/capi/capi-config.js';
import { checkFinetune } from '../methods/finetune/check-finetune.js';
import { Finetune, finetuneSteps } from '../methods/finetune/finetune.js';
import { type FinetuneConfig, finetuneRecipe } from '../methods/finetune/finetune-config.js';
import { Mae } from '../methods/mae/mae.js';
import { type MaeConfig, maeMasks, maeNetworks, maeRecipe } from '../methods/mae/mae-config.js';
import { checkRefiner } from '../methods/mim-refiner/check-recipe.js';
import { estimateRefiner } from '../methods/mim-refiner/estimate.js';
import { MimRefiner } from '../methods/mim-refiner/mim-refiner.js';
import { type RefinerConfig, refinerRecipe } from '../methods/mim-refiner/refiner-config.js';
import { stagePlan } from '../methods/mim-refiner/refiner-optimizers.js';
import type { KnownEncoder } from '../models/encoder-kinds.js';
import { transformerOf } from '../models/transformer-of.js';
import { ConfigError } from '../support/errors.js';
import { suggestion } from '../support/nearest-name.js';
import type { CostEstimate } from '../train/cost-estimate.js';
import type { EvaluationsConfig } from '../train/evaluations-config.js';
import type { Method } from '../train/method.js';
import type { TrainConfig } from '../train/train-config.js';
import { trainingCrops } from '../train/training-crops.js';

/** What any recipe says, whatever its method. */
export interface RecipeCore {
  readonly method: string;
  readonly seed: number;
  readonly data: {
    readonly imageSize: number;
    readonly workers?: number | undefined;
    readonly cache?: 'none' | 'memory';
  };
  readonly train: TrainConfig;
  /** How features are followed, where the method gives some. */
  readonly watch?: { readonly every: number; readonly images: number };
  readonly evaluations?: EvaluationsConfig;
}

/** What a method shows of an image to what it trains: a crop with a part hidden. */
export interface MaskedCrops {
  readonly view: View;
  readonly masking: Masking;
}

/** How long a recipe trains, and how its batches are made. */
export interface RunPlan {
  readonly steps: number;
  readonly batchSize: number;
  /** Parts that a batch is computed in. */
  readonly accumulate: number;
}

/** What a method is made with besides its recipe. */
export interface MethodOptions {
  readonly device?: string;
  readonly group?: ProcessGroup;
}

interface EntryCore<Config extends RecipeCore> {
  readonly schema: z.ZodType<Config>;
  /** @param images of the data set */
  readonly plan: (config: Config, images: number) => RunPlan;
}

/** A method that trains an encoder of its own making. */
export interface PretrainingEntry<Config extends RecipeCore = RecipeCore> extends EntryCore<Config> {
  readonly command: 'pretrain';
  /** @throws {ConfigError} values that are valid alone and not together, all at once. */
  readonly check: (config: Config) => void;
  readonly shown: (config: Config) => MaskedCrops;
  readonly create: (config: Config, options: MethodOptions) => Method<unknown>;
}

/** A method that goes on with an encoder trained elsewhere. */
export interface RefiningEntry<Config extends RecipeCore = RecipeCore> extends EntryCore<Config> {
  readonly command: 'refine';
  /** @throws {ConfigError} values that are valid alone and not together, or not with the encoder, all at once. */
  readonly check: (config: Config, encoder: KnownEncoder) => void;
  readonly create: (config: Config, options: MethodOptions & { readonly encoder: KnownEncoder }) => Method<unknown>;
  readonly estimate: (config: Config, encoder: KnownEncoder) => CostEstimate;
}

/** What is trained on, as far as a method that classifies has to know. */
export interface LabelledData {
  readonly classes: number;
  readonly images: number;
}

/** A method that trains an encoder from elsewhere to classify labelled images. */
export interface FinetuningEntry {
  readonly command: 'finetune';
  readonly schema: z.ZodType<FinetuneConfig>;
  readonly plan: (config: FinetuneConfig, images: number) => RunPlan;
  /** @throws {ConfigError} values that do not fit together, the encoder or the data, all at once. */
  readonly check: (config: FinetuneConfig, encoder: KnownEncoder, images: number) => void;
  readonly create: (
    config: FinetuneConfig,
    options: MethodOptions & LabelledData & { readonly encoder: KnownEncoder },
  ) => Finetune;
  /** Steps between two judgements of test images. */
  readonly judgeEvery: (config: FinetuneConfig, images: number) => number;
}

/** A training method as recipes name it. */
export type MethodEntry = PretrainingEntry | RefiningEntry | FinetuningEntry;

const capi: PretrainingEntry<CapiConfig> = {
  command: 'pretrain',
  schema: capiRecipe,
  plan: ({ optim }) => optim,
  check: (config) => void networkOptions(config),
  shown: (config) => ({ view: trainingCrops(config.data), masking: capiMasks(config) }),
  create: (config, options) => new Capi(config, options) as Method<unknown>,
};

const mae: PretrainingEntry<MaeConfig> = {
  command: 'pretrain',
  schema: maeRecipe,
  plan: ({ optim }) => optim,
  check: (config) => void maeNetworks(config),
  shown: (config) => ({ view: trainingCrops(config.data), masking: maeMasks(config) }),
  create: (config, options) => new Mae(config, options) as Method<unknown>,
};

const mimRefiner: RefiningEntry<RefinerConfig> = {
  command: 'refine',
  schema: refinerRecipe,
  // The loss compares all images of a step with each other: parts of a step would be other steps.
  plan: (config) => ({ steps: stagePlan(config).steps, batchSize: config.optim.batchSize, accumulate: 1 }),
  check: (config, encoder) => checkRefiner(config, transformerOf(encoder)),
  create: (config, options) => new MimRefiner(config, options) as Method<unknown>,
  estimate: (config, encoder) => estimateRefiner(config, transformerOf(encoder)),
};

const finetune: FinetuningEntry = {
  command: 'finetune',
  schema: finetuneRecipe,
  plan: (config, images) => {
    const { batchSize, accumulate } = config.optim;
    return { steps: finetuneSteps(config, images).steps, batchSize, accumulate };
  },
  check: (config, encoder, images) => checkFinetune(config, transformerOf(encoder), images),
  create: (config, options) => new Finetune(config, options),
  judgeEvery: (config, images) => config.judgeEvery * finetuneSteps(config, images).epoch,
};

const methods: Readonly<Record<string, MethodEntry>> = {
  capi: capi as unknown as MethodEntry,
  mae: mae as unknown as MethodEntry,
  'mim-refiner': mimRefiner as unknown as MethodEntry,
  finetune,
};

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
