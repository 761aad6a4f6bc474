import type { EncoderPredictorOptions } from '../../models/encoder-predictor.js';
import { type CapiConfig, networkOptions } from './capi-config.js';

/**
 * Floating-point operations of the matrix products in one training step, two for each multiply-add: the teacher's
 * forward pass over all patches, the prototypes' forward pass and weight gradient, and the student's forward and backward
 * passes over visible and predicted patches, less what drop path leaves out.
 */
export function stepFlops(config: CapiConfig): number {
  const { encoder, predictor } = networkOptions(config);
  const batch = config.optim.batchSize;
  const patches = (config.data.imageSize / encoder.patchSize) ** 2;
  const masked = Math.floor(patches * config.mask.ratio);
  const predicted = Math.max(1, Math.floor(masked * config.mask.predict));
  const visible = patches - masked;
  const { prototypes } = config.capi;
  const { rate, kind } = config.model.dropPath;
  const kept = rate > 0 && kind === 'efficient' ? Math.max(1, Math.floor(batch * (1 - rate))) : batch;

  const teacher = batch * (embedFlops(encoder, patches) + encoderFlops(encoder, patches));
  const clustering = 2 * (2 * batch * patches * encoder.width * prototypes);
  // The patch embedding has no gradient to pass on: its backward pass is one product, everything else's two.
  const student =
    2 * batch * embedFlops(encoder, visible) +
    3 * kept * (encoderFlops(encoder, visible) + predictorFlops(predictor, visible + encoder.registers, predicted));
  const head = 3 * 2 * batch * predicted * predictor.width * prototypes;
  return teacher + clustering + student + head;
}

function embedFlops({ width, patchSize }: EncoderPredictorOptions['encoder'], patches: number): number {
  return 2 * patches * width * 3 * patchSize ** 2;
}

function encoderFlops({ width, depth, registers }: EncoderPredictorOptions['encoder'], patches: number): number {
  const tokens = patches + registers;
  return depth * (2 * 12 * tokens * width ** 2 + 4 * tokens ** 2 * width);
}

function predictorFlops(options: EncoderPredictorOptions['predictor'], context: number, queries: number): number {
  const { width, depth, contextWidth } = options;
  const products = 2 * (10 * queries * width ** 2 + 2 * context * contextWidth * width);
  return depth * (products + 4 * queries * context * width);
}
