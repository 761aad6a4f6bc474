import { z } from 'zod';
import type { Masking } from '../../masks/masked-batch.js';
import { networkPresets, networkSizes } from '../../models/presets.js';
import type { VitOptions } from '../../models/vit-options.js';
import { vitOptions } from '../../models/vit-options.js';
import { ConfigError } from '../../support/errors.js';
import { evaluationsSection } from '../../train/evaluations-config.js';
import { precision } from '../../train/precision.js';
import { atMost, evenParts, multipleOfPatch, smallerFirst } from '../../train/recipe-problems.js';
import { trainSection } from '../../train/train-config.js';
import { imageCache } from '../../train/training-crops.js';
import type { DecoderOptions } from './decoder.js';

const fraction = z.number().min(0).max(1);
const positive = z.number().positive();
const count = z.int().positive();

/** The recipe of a MAE run. Defaults are the published ones (800 epochs of ImageNet-1k with a decoder for L). */
export const maeRecipe = z.strictObject({
  method: z.literal('mae'),
  seed: z.int().nonnegative().default(0).describe('Seed of everything random.'),
  model: z
    .strictObject({
      preset: z.enum(networkPresets).optional().describe('Named sizes; the next options override them one by one.'),
      width: count.optional().describe('Width of the encoder’s tokens; a multiple of 4 and of heads.'),
      depth: count.optional().describe('Blocks of the encoder.'),
      heads: count.optional().describe('Attention heads.'),
      patchSize: count.default(16).describe('Side of a patch in pixels.'),
      decoder: z
        .strictObject({
          width: count.default(512).describe('Width of the decoder; a multiple of 4 and of its heads.'),
          depth: count.default(8).describe('Blocks of the decoder.'),
          heads: count.default(16).describe('Heads of the decoder.'),
        })
        .prefault({})
        .describe('What turns visible patches into pixels of masked ones; only training needs it.'),
    })
    .prefault({})
    .describe('The network.'),
  data: z
    .strictObject({
      imageSize: count.default(224).describe('Side of the crops in pixels; a multiple of the patch size.'),
      cropScale: z
        .tuple([positive.max(1), positive.max(1)])
        .default([0.2, 1])
        .describe('Share of the image’s area that a crop covers.'),
      flip: z.boolean().default(true).describe('Flip half of the crops horizontally.'),
      workers: count.optional().describe('Decoding threads; by default one less than the cores, at most 8.'),
      cache: imageCache,
    })
    .prefault({})
    .describe('Images.'),
  mask: z
    .strictObject({ ratio: fraction.default(0.75).describe('Share of the patches that is masked, at random.') })
    .prefault({})
    .describe('Masks.'),
  optim: z
    .strictObject({
      steps: count.default(249_600).describe('Steps of the run.'),
      batchSize: count.default(4096).describe('Images a step.'),
      accumulate: count.default(1).describe('Parts that a step’s images are computed in; the loss is the same.'),
      precision,
      lr: positive.default(1.5e-4).describe('Peak learning rate for 256 images a step; it grows with the batch.'),
      warmupSteps: z.int().nonnegative().default(12_480).describe('Warm-up of the learning rate.'),
      weightDecay: z.number().nonnegative().default(0.05).describe('Weight decay; biases and norms have none.'),
      betas: z.tuple([fraction, fraction]).default([0.9, 0.95]).describe('Betas of AdamW.'),
    })
    .prefault({})
    .describe('Optimisation.'),
  train: trainSection.prefault({}),
  evaluations: evaluationsSection.prefault({}),
});

export type MaeConfig = z.output<typeof maeRecipe>;

/** How the networks of a recipe are built. */
export interface MaeNetworkOptions {
  readonly encoder: VitOptions;
  readonly decoder: DecoderOptions;
}

/**
 * Sizes of the networks with presets filled in.
 * @throws {ConfigError} sizes are missing, or do not fit each other; all problems are listed.
 */
export function maeNetworks(config: MaeConfig): MaeNetworkOptions {
  const { model, data, optim } = config;
  const { patchSize, decoder } = model;
  const preset = model.preset && networkSizes[model.preset];
  const problems: string[] = [];
  const size = (key: 'width' | 'depth' | 'heads'): number => {
    const value = model[key] ?? preset?.[key];
    if (value === undefined) problems.push(`model.${key}: expected a number, as no model.preset is given`);
    return value ?? 4;
  };
  const [width, depth, heads] = [size('width'), size('depth'), size('heads')];
  const fit = (key: string, w: number, h: number) => {
    if (w % h !== 0 || w % 4 !== 0) problems.push(`${key}: expected a multiple of 4 and of ${h} heads, received ${w}`);
  };
  fit('model.width', width, heads);
  fit('model.decoder.width', decoder.width, decoder.heads);
  problems.push(
    ...multipleOfPatch('data.imageSize', data.imageSize, 'model.patchSize', patchSize),
    ...smallerFirst('data.cropScale', data.cropScale),
    ...atMost('optim.warmupSteps', optim.warmupSteps, 'optim.steps', optim.steps),
    ...evenParts(optim),
  );
  const rows = Math.floor(data.imageSize / patchSize);
  const masked = Math.trunc(rows ** 2 * config.mask.ratio);
  if (masked === 0 || masked >= rows ** 2)
    problems.push(
      `mask.ratio: expected some of ${rows ** 2} patches masked and some not, received ${config.mask.ratio}`,
    );
  if (problems.length > 0) {
    throw new ConfigError(`The recipe does not fit together:\n  ${problems.join('\n  ')}`, {
      hint: 'Change these values in the recipe or on the command line.',
    });
  }
  const grid = { rows, columns: rows };
  return {
    encoder: vitOptions({ patchSize, width, depth, heads, positions: { kind: 'table', ...grid } }),
    decoder: { ...decoder, ...grid, contextWidth: width, pixels: 3 * patchSize ** 2 },
  };
}

/** How a recipe masks: at random, and every masked patch is predicted. */
export function maeMasks({ data, mask, model }: MaeConfig): Masking {
  const side = data.imageSize / model.patchSize;
  return {
    mask: { kind: 'uniform', rows: side, columns: side, roll: false },
    maskRatio: mask.ratio,
    predictionSubsampling: 1,
  };
}
