import { z } from 'zod';
import { precision } from '../../train/precision.js';
import { trainSection } from '../../train/train-config.js';

const fraction = z.number().min(0).max(1);
const positive = z.number().positive();
const count = z.int().positive();
const alpha = z.number().nonnegative().max(4);

/** The recipe of a fine-tuning run. Defaults are those of MIM-Refiner's evaluation on ImageNet with a ViT-L. */
export const finetuneRecipe = z.strictObject({
  method: z.literal('finetune'),
  seed: z.int().nonnegative().default(0).describe('Seed of everything random.'),
  data: z
    .strictObject({
      imageSize: count.default(224).describe('Side of the images in pixels; a multiple of the patch size.'),
      cropScale: z
        .tuple([positive.max(1), positive.max(1)])
        .default([0.08, 1])
        .describe('Share of the image’s area that a training crop covers.'),
      flip: z.boolean().default(true).describe('Mirror half of the training images.'),
      randAugment: z
        .strictObject({
          operations: z.int().nonnegative().default(2).describe('Operations drawn for an image; 0: none.'),
          magnitude: z.number().min(0).max(10).default(9).describe('Mean strength of an operation.'),
          deviation: z.number().nonnegative().default(0.5).describe('Standard deviation of the strength.'),
        })
        .prefault({})
        .describe('RandAugment: changes of colours and shape, each made with probability one half.'),
      erase: fraction
        .default(0.25)
        .describe('Share of the training images of which a random box is replaced by noise; 0: none.'),
      testView: z
        .enum(['resize-centre-crop', 'resize'])
        .default('resize-centre-crop')
        .describe(
          'How test images are cut: the central square of the enlarged image, as published, or all of it, made square.',
        ),
      workers: count.optional().describe('Decoding threads; by default one less than the cores, at most 8.'),
    })
    .prefault({})
    .describe('Images.'),
  mix: z
    .strictObject({
      mixup: alpha
        .default(0.8)
        .describe('Images are blended with others, by a share from the distribution Beta(α, α); 0: not.'),
      cutmix: alpha
        .default(1)
        .describe(
          'A box of another image is put in, its area from Beta(α, α); 0: not. With both, either comes up half the time.',
        ),
      labelSmoothing: fraction.default(0.1).describe('Share of every target that is spread over all classes.'),
    })
    .prefault({})
    .describe('What becomes of images and labels of a step; each is mixed with the one at the mirrored place.'),
  model: z
    .strictObject({
      pool: z
        .enum(['class', 'patches'])
        .optional()
        .describe(
          'What the classifier reads: the class token (default where there is one), or the mean of the patches.',
        ),
      dropPath: z
        .number()
        .min(0)
        .lt(1)
        .default(0.2)
        .describe(
          'Share of images that the last block’s branches leave out; it grows evenly from 0 at the first block.',
        ),
      freezeBlocks: z
        .int()
        .nonnegative()
        .default(0)
        .describe('First blocks that stay as they are, and what comes before them.'),
    })
    .prefault({})
    .describe('Encoder and classifier.'),
  optim: z
    .strictObject({
      epochs: count.default(50).describe('Passes through the training images.'),
      warmupEpochs: z.number().nonnegative().default(5).describe('Warm-up of the learning rate; part of the epochs.'),
      batchSize: z.int().min(2).default(1024).describe('Images a step.'),
      accumulate: count
        .default(1)
        .describe('Parts that a batch is computed in, to save memory; images mix within a part.'),
      precision,
      lr: positive.default(1e-3).describe('Peak learning rate for 256 images a step; it grows with the batch.'),
      endLr: z.number().nonnegative().default(0).describe('Learning rate that the cosine approaches.'),
      layerDecay: positive.max(1).default(0.75).describe('Factor of the learning rate from block to block downwards.'),
      weightDecay: z.number().nonnegative().default(0.05).describe('Of matrices; biases, norms and tokens have none.'),
      betas: z.tuple([fraction, fraction]).default([0.9, 0.999]).describe('Betas of AdamW.'),
    })
    .prefault({})
    .describe('Optimisation.'),
  judgeEvery: count.default(1).describe('Epochs between two judgements of the test images; the end always has one.'),
  train: trainSection.prefault({}),
});

export type FinetuneConfig = z.output<typeof finetuneRecipe>;
