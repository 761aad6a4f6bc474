import { z } from 'zod';
import type { Masking } from '../../masks/masked-batch.js';
import { capiVit, type EncoderPredictorOptions } from '../../models/encoder-predictor.js';
import { networkPresets, networkSizes } from '../../models/presets.js';
import type { VitOptions } from '../../models/vit-options.js';
import { ConfigError } from '../../support/errors.js';
import { evaluationsSection } from '../../train/evaluations-config.js';
import { precision } from '../../train/precision.js';
import { atMost, evenParts, multipleOfPatch, smallerFirst } from '../../train/recipe-problems.js';
import { trainSection } from '../../train/train-config.js';
import { imageCache } from '../../train/training-crops.js';
import type { CapiNetworkOptions } from './capi-network.js';

const fraction = z.number().min(0).max(1);
const positive = z.number().positive();
const count = z.int().positive();

const modelSection = z
  .strictObject({
    preset: z.enum(networkPresets).optional().describe('Named sizes; the next options override them one by one.'),
    width: count.optional().describe('Width of the encoder’s tokens; a multiple of 4 x heads.'),
    depth: count.optional().describe('Blocks of the encoder.'),
    heads: count.optional().describe('Attention heads.'),
    patchSize: count.default(14).describe('Side of a patch in pixels.'),
    predictor: z
      .strictObject({
        width: count.optional().describe('Width of the predictor; the encoder’s unless given.'),
        depth: count.optional().describe('Blocks of the predictor; the preset’s unless given.'),
        heads: count.optional().describe('Heads of the predictor; the encoder’s unless given.'),
        kind: z
          .enum(['cross', 'self', 'fused'])
          .default('cross')
          .describe(
            'Mask tokens attend to the encoder’s tokens (as published), to each other too, or go through the encoder itself.',
          ),
      })
      .prefault({}),
    positions: z
      .enum(['rope', 'learned'])
      .default('rope')
      .describe('Rotary positions as published, or a trained vector for every patch.'),
    registers: z.int().nonnegative().multipleOf(4).default(16).describe('Extra tokens.'),
    registerCoordinates: z.enum(['edge', 'zeros']).default('edge').describe('Where registers lie.'),
    scaleRegistersToVisible: z.boolean().default(true).describe('Shrink the registers’ square to the visible patches.'),
    normEps: positive.default(1e-5).describe('Epsilon of the RMS norms.'),
    dropPath: z
      .strictObject({
        rate: fraction.max(0.99).default(0.2).describe('Share of samples whose residual branch is left out.'),
        kind: z.enum(['efficient', 'naive']).default('efficient').describe('Skip the work, or compute and drop it.'),
      })
      .prefault({}),
    rope: z
      .strictObject({
        maxFrequency: positive.default(7).describe('Highest rotary frequency, turns over the image.'),
        minFrequency: positive.default(7e-4).describe('Lowest rotary frequency.'),
      })
      .prefault({}),
  })
  .describe('The network.');

/** The recipe of a CAPI run. Defaults are the published ones (default_pretrain_config.yaml). */
export const capiRecipe = z.strictObject({
  method: z.literal('capi'),
  seed: z.int().nonnegative().default(0).describe('Seed of everything random.'),
  model: modelSection.prefault({}),
  data: z
    .strictObject({
      imageSize: count.default(224).describe('Side of the crops in pixels; a multiple of the patch size.'),
      cropScale: z
        .tuple([positive.max(1), positive.max(1)])
        .default([0.6, 1])
        .describe('Share of the image’s area that a crop covers.'),
      flip: z.boolean().default(true).describe('Flip half of the crops horizontally.'),
      workers: z
        .int()
        .positive()
        .optional()
        .describe('Decoding threads; by default one less than the cores, at most 8.'),
      cache: imageCache,
    })
    .prefault({})
    .describe('Images.'),
  mask: z
    .strictObject({
      kind: z.enum(['inverse-block', 'block', 'uniform']).default('inverse-block').describe('Shape of what is masked.'),
      roll: z.boolean().default(true).describe('Shift blocks circularly.'),
      ratio: positive.max(0.99).default(0.65).describe('Share of the patches that is masked.'),
      predict: positive.max(1).default(0.05).describe('Share of the masked patches that is predicted.'),
    })
    .prefault({})
    .describe('Masking.'),
  capi: z
    .strictObject({
      prototypes: count.default(16384).describe('Clusters.'),
      studentTemperature: positive.default(0.12).describe('Temperature of the student’s prediction.'),
      targetTemperature: positive.default(0.06).describe('Temperature of the assignments.'),
      predictionTemperature: positive.default(0.12).describe('Temperature of the clustering loss.'),
      iterations: count.default(3).describe('Rounds of Sinkhorn-Knopp.'),
      balance: z
        .enum(['positionwise', 'pooled'])
        .default('positionwise')
        .describe('Balance each position, or all tokens.'),
      loss: z
        .enum(['clustering', 'ibot', 'i-jepa'])
        .default('clustering')
        .describe(
          'What is predicted: clusters of the teacher’s features, the output of the teacher’s head, or the features themselves.',
        ),
      head: z
        .enum(['linear', 'mlp'])
        .default('linear')
        .describe('The student’s head; with mlp, layers come before it.'),
      mlp: z
        .strictObject({
          hidden: count.default(2048).describe('Channels of its two inner layers.'),
          bottleneck: count.default(256).describe('Channels of its output.'),
        })
        .prefault({})
        .describe('Layers of the head mlp.'),
      lr: positive.default(5e-4).describe('Peak learning rate of the prototypes.'),
      weightDecay: z.number().nonnegative().default(0.01).describe('Weight decay of the prototypes.'),
    })
    .prefault({})
    .describe('Prototypes and losses.'),
  optim: z
    .strictObject({
      steps: count.default(500_000).describe('Steps of the run.'),
      batchSize: count.default(16_384).describe('Images a step.'),
      accumulate: count
        .default(1)
        .describe(
          'Parts that a step’s images are computed in; the student’s loss is the same, assignments are balanced within a part.',
        ),
      precision,
      lr: positive.default(1e-3).describe('Peak learning rate of the student.'),
      warmupSteps: z.int().nonnegative().default(50_000).describe('Warm-up of learning rates and momentum.'),
      truncateCosine: positive.max(1).default(0.8).describe('Share of the half cosine that is walked.'),
      weightDecay: z.number().nonnegative().default(0.1).describe('Weight decay of the student.'),
      betas: z.tuple([fraction, fraction]).default([0.9, 0.95]).describe('Betas of both AdamW optimisers.'),
      patchEmbedLr: z.number().nonnegative().default(0.2).describe('Multiplier for the patch embedding.'),
      ropeLr: z.number().nonnegative().default(0).describe('Multiplier for the rotary frequencies; 0 freezes them.'),
      normWeightDecay: z.number().nonnegative().default(0.1).describe('Multiplier of the decay of norm weights.'),
      momentum: fraction.default(0.999).describe('Lowest momentum of the teacher, reached after warm-up.'),
      startMomentum: fraction.default(1).describe('Momentum at the first step.'),
    })
    .prefault({})
    .describe('Optimisation.'),
  train: trainSection.prefault({}),
  evaluations: evaluationsSection.prefault({}),
});

export type CapiConfig = z.output<typeof capiRecipe>;

/**
 * Sizes of the network with presets filled in.
 * @throws {ConfigError} sizes are missing, or do not fit each other; all problems are listed.
 */
export function networkOptions(config: CapiConfig): EncoderPredictorOptions {
  const { model, capi } = config;
  const preset = model.preset && networkSizes[model.preset];
  const problems: string[] = [];
  const need = (key: string, value: number | undefined): number => {
    if (value === undefined) problems.push(`model.${key}: expected a number, as no model.preset is given`);
    return value ?? 4;
  };
  const width = need('width', model.width ?? preset?.width);
  const depth = need('depth', model.depth ?? preset?.depth);
  const heads = need('heads', model.heads ?? preset?.heads);
  const fused = model.predictor.kind === 'fused';
  const predictorDepth = fused ? 0 : need('predictor.depth', model.predictor.depth ?? preset?.predictorDepth);
  const predictorWidth = model.predictor.width ?? width;
  const predictorHeads = model.predictor.heads ?? heads;
  const fit = (key: string, w: number, h: number) => {
    if (w % (4 * h) !== 0) problems.push(`${key}: expected a multiple of 4 x ${h} heads, received ${w}`);
  };
  fit('model.width', width, heads);
  fit('model.predictor.width', predictorWidth, predictorHeads);
  if (fused)
    for (const key of ['width', 'depth', 'heads'] as const) {
      if (model.predictor[key] !== undefined)
        problems.push(`model.predictor.${key}: expected none, as the predictor is fused with the encoder`);
    }
  if (capi.loss !== 'clustering' && predictorWidth !== width) {
    problems.push(
      `model.predictor.width: expected the encoder’s ${width}, whose features ${capi.loss} predicts, received ${predictorWidth}`,
    );
  }
  problems.push(...otherProblems(config));
  if (problems.length > 0) {
    throw new ConfigError(`The recipe does not fit together:\n  ${problems.join('\n  ')}`, {
      hint: 'Change these values in the recipe or on the command line.',
    });
  }
  const { normEps, dropPath, rope } = model;
  const { patchSize, registers, registerCoordinates, scaleRegistersToVisible } = model;
  return {
    encoder: {
      patchSize,
      width,
      depth,
      heads,
      registers,
      registerCoordinates,
      scaleRegistersToVisible,
      normEps,
      dropPath,
      rope,
    },
    predictor: {
      width: predictorWidth,
      depth: predictorDepth,
      heads: predictorHeads,
      contextWidth: width,
      normEps,
      dropPath,
      rope,
    },
  };
}

/** What does not fit together beside the sizes of the network. */
function otherProblems({ model, data, capi, optim }: CapiConfig): string[] {
  const problems = [
    ...multipleOfPatch('data.imageSize', data.imageSize, 'model.patchSize', model.patchSize),
    ...atMost('optim.warmupSteps', optim.warmupSteps, 'optim.steps', optim.steps),
    ...evenParts(optim),
    ...smallerFirst('data.cropScale', data.cropScale),
  ];
  if (capi.loss === 'i-jepa' && capi.head === 'mlp')
    problems.push('capi.head: expected linear, as the loss i-jepa has no head, received mlp');
  return problems;
}

/**
 * The network that a recipe asks for.
 * @throws {ConfigError} as {@link networkOptions}.
 */
export function capiNetwork(config: CapiConfig): CapiNetworkOptions {
  const network = networkOptions(config);
  const { model, capi, data } = config;
  const { kind } = model.predictor;
  const width = network.predictor.width;
  const mlp = capi.head === 'mlp' ? capi.mlp : undefined;
  const head = capi.loss === 'i-jepa' ? undefined : { width, prototypes: capi.prototypes, mlp };
  if (kind === 'cross' && model.positions === 'rope') return { kind: 'published', network, head };
  const side = data.imageSize / model.patchSize;
  const learned = { rows: side, columns: side };
  const rotary = capiVit(network.encoder);
  const encoder: VitOptions =
    model.positions === 'learned'
      ? { ...rotary, positions: { kind: 'table', ...learned, learned: true, antialias: true, offset: 0 } }
      : rotary;
  if (kind === 'fused') return { kind: 'fused', encoder, head };
  const positions = model.positions === 'learned' ? { learned } : { rope: model.rope };
  return { kind: 'split', encoder, predictor: { ...network.predictor, kind, positions }, head };
}

/** How a recipe masks. */
export function capiMasks({ data, mask, model }: CapiConfig): Masking {
  const side = data.imageSize / model.patchSize;
  return {
    mask: { kind: mask.kind, rows: side, columns: side, roll: mask.roll },
    maskRatio: mask.ratio,
    predictionSubsampling: mask.predict,
  };
}
