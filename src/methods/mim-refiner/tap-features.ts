// N images · T tokens · P patches · D width
import { patchify } from '../../models/patches.js';
import type { VisionTransformer } from '../../models/vit.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** Where a head reads. */
export interface Tap {
  readonly block: number | 'last';
  readonly pool: 'class' | 'patches';
}

/** Heads with the same tap share its features. */
export const tapKey = ({ block, pool }: Tap) => `${pool}-${block}`;

/**
 * Features (N, D) of every tap, by its key: the class token, or the mean of the patches, of a block's raw output, or of
 * the encoder's result, which is normalised where the encoder has a final norm.
 * Source: MIM-Refiner models/poolings, models/extractors/vit_block_extractor.py.
 */
export function tapFeatures(
  encoder: VisionTransformer,
  images_N3YX: Tensor,
  taps: readonly Tap[],
): Map<string, Tensor> {
  return scope(() => {
    const blocks = taps.flatMap(({ block }) => (block === 'last' ? [] : [block]));
    const encoded = encoder.forward(patchify(images_N3YX, encoder.patchSize), { blocks });
    return new Map(
      taps.map((tap) => {
        const tokens_NTD = tap.block === 'last' ? encoded.tokens_BTD : encoded.blocks.get(tap.block)!;
        const { class_BD, patches_BPD } = encoder.split(tokens_NTD);
        return [tapKey(tap), tap.pool === 'class' ? class_BD! : ops.meanDim(patches_BPD, [1])];
      }),
    );
  });
}
