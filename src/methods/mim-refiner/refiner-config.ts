import { z } from 'zod';
import { evaluationsSection } from '../../train/evaluations-config.js';
import { precision } from '../../train/precision.js';
import { trainSection } from '../../train/train-config.js';
import { imageCache } from '../../train/training-crops.js';

const fraction = z.number().min(0).max(1);
const positive = z.number().positive();
const count = z.int().positive();
const steps = z.int().nonnegative();
const scale = z.tuple([positive.max(1), positive.max(1)]);

const block = z.union([z.literal('last'), z.int().nonnegative()]);
const pool = z.enum(['class', 'patches']);

const headEntry = z.union([
  block,
  z.strictObject({
    block: block.describe('Whose output the head reads: a block, counted from 0, or `last`: the encoder’s result.'),
    name: z
      .string()
      .regex(/^[\w-]+$/)
      .optional()
      .describe('Of curves and files; by default `last` or `block7`.'),
    pool: pool.optional().describe('Overrides `heads.pool`.'),
    temperature: positive.optional().describe('Overrides `heads.temperature`.'),
    weight: z
      .array(
        z.strictObject({
          until: fraction.describe('Share of the refine stage at which this piece ends.'),
          value: z.number().nonnegative().describe('Weight in the piece, or at its beginning.'),
          to: z.number().nonnegative().optional().describe('Weight at its end, reached along a cosine.'),
        }),
      )
      .optional()
      .describe('Weight of the head’s loss over the refine stage, piece by piece; 1 by default.'),
  }),
]);

const headsSection = z
  .strictObject({
    on: z
      .array(headEntry)
      .min(1)
      .describe('Blocks with a head: numbers from 0, `last` for the encoder’s result, or sections with more.'),
    pool: pool.default('class').describe('What a head reads: the class token, or the mean of the patches.'),
    temperature: positive.default(0.2).describe('Temperature of the loss; larger for smaller batches.'),
    projectorWidth: count.default(2048).describe('Width inside the projector.'),
    predictorWidth: count.default(4096).describe('Width inside the predictor.'),
    outputWidth: count.default(256).describe('Channels that are compared.'),
    queueSize: count.default(65_536).describe('Earlier images among which neighbours are looked up.'),
    swap: z
      .enum(['nna', 'swap-all', 'no-swap'])
      .default('nna')
      .describe('Where neighbours replace projections: in positive pairs, in all pairs (NNCLR), nowhere (InfoNCE).'),
    localPairs: z
      .enum(['published', 'intended'])
      .default('published')
      .describe('Which views the local terms predict: as the released code computes it, or the local views.'),
    momentum: fraction
      .optional()
      .describe('Momentum of a second encoder and projectors that make what is compared; none by default.'),
  })
  .describe('Heads and their loss.');

const stages = z
  .strictObject({
    heads: z
      .strictObject({
        steps: steps.default(25_020).describe('Steps of the stage.'),
        warmupSteps: steps.default(5004).describe('Warm-up of the learning rate.'),
        lr: positive.default(2e-4).describe('Peak learning rate for 256 images a step; it grows with the batch.'),
        weightDecay: z.number().nonnegative().default(1e-5).describe('Weight decay of the heads.'),
        topK: count.default(1).describe('Neighbours are picked among so many nearest ones.'),
      })
      .prefault({})
      .describe('First stage: the heads are trained, the encoder does not change.'),
    refine: z
      .strictObject({
        steps: steps.default(37_530).describe('Steps of the stage.'),
        warmupSteps: steps.default(5004).describe('Warm-up of the learning rates.'),
        lr: positive.default(4e-4).describe('Peak learning rate for 256 images a step; it grows with the batch.'),
        weightDecay: z.number().nonnegative().default(0.05).describe('Weight decay of the encoder.'),
        headWeightDecay: z.number().nonnegative().default(1e-5).describe('Weight decay of the heads.'),
        topK: count.default(20).describe('Neighbours are picked among so many nearest ones.'),
        layerDecay: positive
          .max(1)
          .default(0.65)
          .describe('Factor of the learning rate from block to block downwards.'),
        freezeBlocks: z
          .int()
          .nonnegative()
          .default(0)
          .describe('First blocks that stay as they are, and what comes before them.'),
        keepHeads: z.array(z.string()).optional().describe('Names of the heads that go on; all by default.'),
        average: fraction.default(0.9999).describe('Momentum of the average encoder, which is evaluated.'),
      })
      .prefault({})
      .describe('Second stage: encoder and heads are trained.'),
  })
  .prefault({});

/** The recipe of a MIM-Refiner run. Defaults are those of the published MAE L/16 run where one value fits all. */
export const refinerRecipe = z.strictObject({
  method: z.literal('mim-refiner'),
  seed: z.int().nonnegative().default(0).describe('Seed of everything random.'),
  stage: z
    .enum(['both', 'heads', 'refine'])
    .default('both')
    .describe('Both stages one after the other, or one of them; `refine` alone starts from a run of `heads`.'),
  data: z
    .strictObject({
      imageSize: count.default(224).describe('Side of the two global views in pixels; a multiple of the patch size.'),
      globalScale: scale.default([0.25, 1]).describe('Share of the image’s area that a global view covers.'),
      localViews: z.int().nonnegative().default(10).describe('Small views of an image.'),
      localSize: count.default(96).describe('Side of the local views in pixels; a multiple of the patch size.'),
      localScale: scale.default([0.05, 0.25]).describe('Share of the image’s area that a local view covers.'),
      augmentation: z
        .enum(['byol', 'colours', 'minimal'])
        .default('byol')
        .describe(
          'Besides crop and flip: colours, blur, greyscale and solarizing as published; without blur and solarizing, for small images; or nothing.',
        ),
      workers: count.optional().describe('Decoding threads; by default one less than the cores, at most 8.'),
      cache: imageCache,
    })
    .prefault({})
    .describe('Images.'),
  heads: headsSection,
  stages,
  optim: z
    .strictObject({
      batchSize: z.int().min(2).default(1024).describe('Images a step; each is told apart from all others.'),
      precision,
      betas: z.tuple([fraction, fraction]).default([0.9, 0.95]).describe('Betas of the AdamW optimisers.'),
      endLr: z.number().nonnegative().default(1e-6).describe('Learning rate that the cosine approaches.'),
    })
    .prefault({})
    .describe('Optimisation.'),
  watch: z
    .strictObject({
      every: steps.default(1251).describe('Steps between two measurements; 0 for none.'),
      images: z.int().min(2).default(5000).describe('Images that are compared with each other.'),
    })
    .prefault({})
    .describe('k-NN of every block and head while training, where --watch or --data has class labels.'),
  train: trainSection.prefault({}),
  evaluations: evaluationsSection.prefault({}),
});

export type RefinerConfig = z.output<typeof refinerRecipe>;
