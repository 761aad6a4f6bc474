import { z } from 'zod';
import { CheckpointError } from '../support/errors.js';
import type { Generator } from '../tensor/generator.js';
import type { EncoderDescription } from './encoder.js';
import { EncoderPredictor, type EncoderPredictorOptions } from './encoder-predictor.js';
import { VisionTransformer } from './vit.js';
import { type VitOptions, vitOptionsSchema } from './vit-options.js';

/** The descriptions that are understood: CAPI's encoder with its predictor, and a vision transformer alone. */
export type KnownEncoder =
  | ({ readonly kind: 'encoder-predictor' } & EncoderPredictorOptions)
  | ({ readonly kind: 'vit' } & VitOptions);

const count = z.int().positive();
const sizes = {
  width: count,
  depth: count,
  heads: count,
  normEps: z.number().positive(),
  dropPath: z.object({ rate: z.number(), kind: z.enum(['efficient', 'naive']) }),
  rope: z.object({ maxFrequency: z.number().positive(), minFrequency: z.number().positive() }),
};

const encoderPredictorSchema = z.object({
  encoder: z.object({
    ...sizes,
    patchSize: count,
    registers: z.int().nonnegative(),
    registerCoordinates: z.enum(['edge', 'zeros']),
    scaleRegistersToVisible: z.boolean(),
  }),
  predictor: z.object({ ...sizes, contextWidth: count }),
});

/**
 * The description that a method has put into a checkpoint's manifest.
 * @param where the manifest, for the error
 * @throws {CheckpointError} it is of no known kind, or not complete.
 */
export function readDescription({ kind, ...options }: EncoderDescription, where: string): KnownEncoder {
  const problem = (reason: string) =>
    new CheckpointError(`Expected the description of an encoder in ${where}: ${reason}.`, {
      hint: 'Use the Tessera that wrote it, or another checkpoint.',
    });
  if (kind !== 'encoder-predictor' && kind !== 'vit')
    throw problem(`expected the kind encoder-predictor or vit, received "${kind}"`);
  const schema = kind === 'vit' ? vitOptionsSchema : encoderPredictorSchema;
  const parsed = schema.safeParse(options);
  if (!parsed.success) throw problem(`${kind}: ${z.prettifyError(parsed.error).split('\n').join(' ')}`);
  return { kind, ...parsed.data } as KnownEncoder;
}

/** The described encoder with random weights. The caller disposes of it. */
export function buildEncoder(description: KnownEncoder, generator: Generator): EncoderPredictor | VisionTransformer {
  return description.kind === 'vit'
    ? new VisionTransformer(description, generator)
    : new EncoderPredictor(description, generator);
}
