// N images · B images of a batch · P patches of an image · R = B·P · D width
import type { Features } from '../../features/extract.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
import type { ProbeFeatures } from '../probe/probe-heads.js';

/** What a head reads of a patch: its outputs of several blocks, or these and the class tokens of its image. */
export type PatchSource = 'patches' | 'class_patches';

/**
 * Features of every patch of some images by source, (R, D) float32 each, which the caller disposes of. Source: MIM-Refiner
 * poolings/to_image.py, to_image_concat_aux.py.
 *
 * @param features with these blocks; the encoder's result where there are none
 */
export function readPatches(
  features: Features,
  sources: readonly PatchSource[],
  images: readonly number[],
  device: string,
): ProbeFeatures {
  return scope(() => {
    const chosen = Tensor.from(Int32Array.from(images), [images.length]);
    const pick = (all: Tensor) => ops.toDevice(ops.indexSelect(all, 0, chosen), device, 'float32');
    const outputs = features.blocks.size > 0 ? [...features.blocks.values()] : [features];
    const patches_BPD = ops.cat(
      outputs.map(({ patches_NPD }) => pick(patches_NPD!)),
      2,
    );
    const read = (source: PatchSource) => {
      if (source === 'patches') return ops.flatten(patches_BPD, 0, 1);
      const class_BD = ops.cat(
        outputs.map(({ class_ND }) => pick(class_ND!)),
        1,
      );
      const [batch, patches] = patches_BPD.shape as [number, number];
      const class_BPD = ops.expand(ops.unsqueeze(class_BD, 1), [batch, patches, class_BD.size(1)]);
      return ops.flatten(ops.cat([class_BPD, patches_BPD], 2), 0, 1);
    };
    return new Map(sources.map((source) => [source, read(source)]));
  });
}
