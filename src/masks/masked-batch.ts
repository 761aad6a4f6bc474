import { ConfigError } from '../support/errors.js';
import { drawMask } from './draw-mask.js';
import type { MaskOptions, MaskRandom } from './mask.js';

/** Which patches of a batch the student sees and which it predicts; N = rows * columns patches per image. */
export interface MaskedBatch {
  /** Visible patches, (batch * visiblePerImage), ascending, absolute over the flattened batch (image * N + patch). */
  visible: Int32Array;
  /** Patches to predict, (batch * predictPerImage), absolute, image after image, in random order inside an image. */
  predict: Int32Array;
  visiblePerImage: number;
  predictPerImage: number;
  /** The masks themselves, (batch * N), 1 = masked. */
  masks: Uint8Array;
}

/** How a method masks. */
export interface Masking {
  mask: MaskOptions;
  /** Part of the patches that is masked, in (0, 1); the count is rounded down. */
  maskRatio: number;
  /** Part of the masked patches that is predicted, in (0, 1]; the count is rounded down, but is at least 1. */
  predictionSubsampling: number;
}

/** How a batch is masked. */
export interface MaskedBatchOptions extends Masking {
  /** Number of images. */
  batch: number;
  /** The stream of an image's draws, given its place in the batch. */
  random: (image: number) => MaskRandom;
}

/**
 * Draws one mask per image and which of its masked patches are predicted. All images have equal counts. Each image
 * draws its mask first and then one uniform number per masked patch: the patches with the smallest are predicted, in
 * that order.
 *
 * @throws ConfigError when a ratio is out of range, or leaves no patch visible or none masked
 * @see data.py `collate_data_and_cast` of the published CAPI code
 */
export function drawMaskedBatch(options: MaskedBatchOptions): MaskedBatch {
  const { mask, batch } = options;
  const patches = mask.rows * mask.columns;
  const { masked, predicted } = countPatches(patches, options);
  const result: MaskedBatch = {
    visible: new Int32Array(batch * (patches - masked)),
    predict: new Int32Array(batch * predicted),
    visiblePerImage: patches - masked,
    predictPerImage: predicted,
    masks: new Uint8Array(batch * patches),
  };
  const hidden = new Int32Array(masked);
  for (let image = 0, v = 0; image < batch; image++) {
    const random = options.random(image);
    const cells = drawMask(mask, masked, random);
    result.masks.set(cells, image * patches);
    for (let cell = 0, h = 0; cell < patches; cell++) {
      if (cells[cell] === 1) hidden[h++] = image * patches + cell;
      else result.visible[v++] = image * patches + cell;
    }
    const keys = Float64Array.from(hidden, () => random.uniform(0, 1));
    const order = hidden.map((_, i) => i).sort((i, j) => keys[i]! - keys[j]!);
    for (let p = 0; p < predicted; p++) result.predict[image * predicted + p] = hidden[order[p]!]!;
  }
  return result;
}

function countPatches(patches: number, { maskRatio, predictionSubsampling }: MaskedBatchOptions) {
  const problems: string[] = [];
  const masked = Math.trunc(patches * maskRatio);
  if (!(maskRatio > 0 && maskRatio < 1)) problems.push(`the mask ratio must be in (0, 1), got ${maskRatio}`);
  else if (masked === 0) problems.push(`a mask ratio of ${maskRatio} masks none of ${patches} patches`);
  if (!(predictionSubsampling > 0 && predictionSubsampling <= 1)) {
    problems.push(`prediction subsampling must be in (0, 1], got ${predictionSubsampling}`);
  }
  if (problems.length > 0) {
    const hint = 'Use a larger image or smaller patches, or change the ratios.';
    throw new ConfigError(`The batch cannot be masked: ${problems.join('; ')}.`, { hint });
  }
  return { masked, predicted: Math.max(1, Math.trunc(masked * predictionSubsampling)) };
}
