// B batch · P patches · Q predicted patches of an image · R registers · D width · Y X rows and columns of patches
import type { DropPathOptions } from '../nn/drop-path.js';
import { Module } from '../nn/module.js';
import type { RopeOptions } from '../nn/rope.js';
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';
import type { BlockFeatures, Embedding, EmbedOptions, ImageEncoder } from './encoder.js';
import { moduleFingerprint } from './module-fingerprint.js';
import { gatherShared, type Patches, patchCoordinates, patchify } from './patches.js';
import { Predictor, type PredictorOptions } from './predictor.js';
import { type ForwardOptions, VisionTransformer } from './vit.js';
import { type VitOptions, vitOptions } from './vit-options.js';

/** What can be chosen of CAPI's encoder. */
export interface CapiEncoderOptions {
  readonly patchSize: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Extra tokens before the patches: 0, or a multiple of 4 where they lie on the edge. */
  readonly registers: number;
  /** Where registers are for the rotary embedding: around the image's edge, or all at the origin. */
  readonly registerCoordinates: 'edge' | 'zeros';
  /** Shrinks the registers' square to the bounding box of each image's visible patches. */
  readonly scaleRegistersToVisible: boolean;
  readonly normEps: number;
  readonly dropPath: DropPathOptions;
  readonly rope: RopeOptions;
}

export interface EncoderPredictorOptions {
  readonly encoder: CapiEncoderOptions;
  readonly predictor: PredictorOptions;
}

/**
 * CAPI's encoder as a vision transformer: pre-norm RMSNorm without biases, rotary positions and registers, no class token,
 * and a final RMSNorm without weight. Source: CAPI model.py `EncoderDecoder`.
 */
export function capiVit(options: CapiEncoderOptions): VitOptions {
  const { patchSize, width, depth, heads, registers, normEps, dropPath, rope, ...places } = options;
  return vitOptions({
    ...{ patchSize, width, depth, heads, registers, dropPath },
    positions: { kind: 'rope', ...rope, ...places },
    classToken: false,
    norm: { kind: 'rms', eps: normEps },
    finalNorm: 'plain',
    qkvBias: 'none',
    biases: false,
  });
}

/** CAPI's network: an encoder of visible patches and a predictor of masked ones. Source: CAPI model.py `EncoderDecoder`. */
export class EncoderPredictor extends Module implements ImageEncoder {
  readonly encoder: VisionTransformer;
  readonly predictor: Predictor;

  constructor(options: EncoderPredictorOptions, generator: Generator) {
    super();
    this.encoder = new VisionTransformer(capiVit(options.encoder), generator);
    this.predictor = new Predictor(options.predictor, generator);
  }

  get patchSize(): number {
    return this.encoder.patchSize;
  }

  get width(): number {
    return this.encoder.width;
  }

  get depth(): number {
    return this.encoder.depth;
  }

  fingerprint(): string {
    return moduleFingerprint(this, [this.encoder.options, this.predictor.options]);
  }

  /** Features of all patches, without registers: (B, P, D). */
  encodePatches(patches: Patches): Tensor {
    return scope(() => {
      const { tokens_BTD } = this.encoder.forward(patches);
      return this.encoder.split(tokens_BTD).patches_BPD;
    });
  }

  /**
   * The predictor's outputs (B·Q, D) at `predict`, from the visible patches only.
   * @param predict absolute int64 indices into the flattened (B·P) patches, image by image
   */
  predictMasked(patches: Patches, predict: Tensor, options: ForwardOptions): Tensor {
    return scope(() => {
      const encoded = this.encoder.forward(patches, options);
      const all_1P2 = patchCoordinates(patches.rows, patches.columns, patches.pixels_BPE);
      const queries_BQ2 = gatherShared(all_1P2, predict, patches.pixels_BPE.size(0));
      const { depth } = this.predictor.options;
      return ops.flatten(this.predictor.forward(encoded, queries_BQ2, depth, options.dropPath), 0, 1);
    });
  }

  /**
   * Features for evaluation. The global one is the mean over all positions of the predictor's first block.
   * Source: CAPI model.py `EncoderDecoder.forward`.
   */
  embed(images_B3YX: Tensor, options: EmbedOptions = {}): Embedding {
    return scope(() =>
      noGrad(() => {
        const patches = patchify(images_B3YX, this.patchSize);
        const encoded = this.encoder.forward(patches, options);
        const queries_1P2 = patchCoordinates(patches.rows, patches.columns, patches.pixels_BPE);
        const predicted_BPD = this.predictor.forward(encoded, queries_1P2, 1);
        const grid = (tokens_BTD: Tensor) =>
          ops.unflatten(this.encoder.split(tokens_BTD).patches_BPD, 1, [patches.rows, patches.columns]);
        const blocks = [...encoded.blocks].map(([block, tokens]): [number, BlockFeatures] => [
          block,
          { patches_BYXD: grid(tokens) },
        ]);
        return {
          global_BD: ops.meanDim(predicted_BPD, [1]),
          registers_BRD: this.encoder.split(encoded.tokens_BTD).registers_BRD,
          patches_BYXD: grid(encoded.tokens_BTD),
          ...(options.blocks && { blocks: new Map(blocks) }),
          ...(options.attention && { attention: this.encoder.attentionMaps(encoded.attention, patches) }),
        };
      }),
    );
  }
}
