/** Sizes of a network by name. Widths of encoder and predictor are the same, as published. */
export interface NetworkSize {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly predictorDepth: number;
}

/**
 * The usual sizes of vision transformers, with predictors as CAPI chose them: half the encoder's depth. L is the
 * published CAPI model (paper, section 4; default_pretrain_config.yaml); S and B follow its table 8, where head counts are
 * not stated and 64 channels a head are taken; Ti and H continue the pattern.
 */
export const networkSizes = {
  'vit-ti': { width: 192, depth: 12, heads: 3, predictorDepth: 6 },
  'vit-s': { width: 384, depth: 12, heads: 6, predictorDepth: 6 },
  'vit-b': { width: 768, depth: 12, heads: 12, predictorDepth: 6 },
  'vit-l': { width: 1024, depth: 24, heads: 16, predictorDepth: 12 },
  'vit-h': { width: 1280, depth: 32, heads: 16, predictorDepth: 16 },
} as const satisfies Record<string, NetworkSize>;

export type NetworkPreset = keyof typeof networkSizes;
export const networkPresets = Object.keys(networkSizes) as [NetworkPreset, ...NetworkPreset[]];
