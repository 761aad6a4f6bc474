import type { VisionTransformer } from './vit.js';

/**
 * Lets an encoder learn, but for the first blocks with the patches, tokens and positions before them. The norm before the
 * first block learns also then, as in the published code; rotary frequencies never do.
 * Source: MIM-Refiner freezers/vit_block_freezer.py.
 *
 * @param options.frozenBlocks how many; 0 freezes nothing
 * @param options.positions whether tables of positions learn as well
 */
export function unfreeze(
  encoder: VisionTransformer,
  { frozenBlocks, positions }: { readonly frozenBlocks: number; readonly positions: boolean },
): void {
  for (const [name, parameter] of encoder.parameters()) {
    const block = /^blocks\.(\d+)\./.exec(name)?.[1];
    const isPosition = /^positions(\.|$)/.test(name);
    const isFixed = (isPosition && !positions) || /\.rope\.freqs$/.test(name);
    const isStem = isPosition || /^(patch_embed|patch_norm|class_token|registers)(\.|$)/.test(name);
    const isFirst = block === undefined ? isStem && frozenBlocks > 0 : Number(block) < frozenBlocks;
    parameter.requiresGrad = !isFixed && !isFirst;
  }
}
