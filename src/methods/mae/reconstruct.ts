// B batch · M masked patches of an image · E values of a patch · Y X pixels along the axes
import { IMAGE_MEAN, IMAGE_STD, patchify } from '../../models/patches.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../tensor/tensor.js';
import type { MaeBatch, MaeNetwork } from './mae.js';

/**
 * Images with their masked patches as the network predicts them: (B, Y, X, 3), uint8. Predictions have no brightness and
 * contrast, which are taken from the patch that was masked.
 */
export function reconstruct(
  { backbone, decoder }: Pick<MaeNetwork, 'backbone' | 'decoder'>,
  { images_B3YX, visible, masked }: MaeBatch,
): Tensor {
  return scope(() =>
    noGrad(() => {
      const patches = patchify(images_B3YX, backbone.patchSize);
      const { tokens_BTD } = backbone.forward(patches, { visible });
      const predicted_SE = ops.flatten(decoder.forward(tokens_BTD, visible, masked), 0, 1);
      // Pixels are predicted as row, column, channel, and lie in patches as channel, row, column.
      const pixels_SE = ops.flatten(ops.transpose(ops.unflatten(predicted_SE, 1, [-1, 3]), 1, 2), 1, 2);
      const all_SE = ops.flatten(patches.pixels_BPE, 0, 1);
      const original_SE = ops.indexSelect(all_SE, 0, masked);
      const mean_S1 = ops.meanDim(original_SE, [1], true);
      const spread_S1 = ops.sqrt(ops.add(ops.varDim(original_SE, [1], false, true), 1e-6));
      const new_SE = ops.add(ops.mul(pixels_SE, spread_S1), mean_S1);
      const filled_SE = ops.indexAdd(all_SE, 0, masked, ops.sub(new_SE, original_SE));
      const [batch, , height, width] = images_B3YX.shape as [number, number, number, number];
      return picturesOf(filled_SE, { batch, height, width, patch: backbone.patchSize });
    }),
  );
}

/** Patches (B·P, E) as pictures, the normalising undone. */
function picturesOf(
  patches_SE: Tensor,
  { batch, height, width, patch }: { batch: number; height: number; width: number; patch: number },
): Tensor {
  const cut = ops.reshape(patches_SE, [batch, height / patch, width / patch, 3, patch, patch]);
  const images_BYX3 = ops.reshape(ops.permute(cut, [0, 1, 4, 2, 5, 3]), [batch, height, width, 3]);
  const [mean, std] = [IMAGE_MEAN, IMAGE_STD].map((values) =>
    ops.toDevice(Tensor.from(Float64Array.from(values), [3]), patches_SE.device, patches_SE.dtype),
  ) as [Tensor, Tensor];
  const levels = ops.add(ops.mul(ops.add(ops.mul(images_BYX3, std), mean), 255), 0.5);
  ops.clamp_(levels, 0, 255);
  return ops.toDevice(levels, 'cpu', 'uint8');
}
