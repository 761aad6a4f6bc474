// B batch · P patches · Q predicted patches of an image · R registers · D width · Y X rows and columns of patches
import { Module } from '../nn/module.js';
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';
import type { BlockFeatures, Embedding, EmbedOptions, ImageEncoder } from './encoder.js';
import { type Patches, patchCoordinates, patchify } from './patches.js';
import { Predictor, type PredictorOptions } from './predictor.js';
import { type ForwardOptions, gatherCoordinates, VisionTransformer, type VitOptions } from './vit.js';

export interface EncoderPredictorOptions {
  readonly encoder: VitOptions;
  readonly predictor: PredictorOptions;
}

/** CAPI's network: an encoder of visible patches and a predictor of masked ones. Source: CAPI model.py `EncoderDecoder`. */
export class EncoderPredictor extends Module implements ImageEncoder {
  readonly encoder: VisionTransformer;
  readonly predictor: Predictor;

  constructor(options: EncoderPredictorOptions, generator: Generator) {
    super();
    this.encoder = new VisionTransformer(options.encoder, generator);
    this.predictor = new Predictor(options.predictor, generator);
  }

  get patchSize(): number {
    return this.encoder.options.patchSize;
  }

  get width(): number {
    return this.encoder.options.width;
  }

  get depth(): number {
    return this.encoder.blocks.length;
  }

  /** Features of all patches, without registers: (B, P, D). */
  encodePatches(patches: Patches): Tensor {
    return scope(() => {
      const { tokens_BTD } = this.encoder.forward(patches);
      return ops.narrow(tokens_BTD, 1, this.encoder.options.registers, patches.rows * patches.columns);
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
      const queries_BQ2 = gatherCoordinates(all_1P2, predict, patches.pixels_BPE.size(0));
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
        const count = this.encoder.options.registers;
        const queries_1P2 = patchCoordinates(patches.rows, patches.columns, patches.pixels_BPE);
        const predicted_BPD = this.predictor.forward(encoded, queries_1P2, 1);
        const grid = (tokens_BTD: Tensor) =>
          ops.unflatten(ops.narrow(tokens_BTD, 1, count, patches.rows * patches.columns), 1, [
            patches.rows,
            patches.columns,
          ]);
        const blocks = [...encoded.blocks].map(([block, tokens]): [number, BlockFeatures] => [
          block,
          { patches_BYXD: grid(tokens) },
        ]);
        return {
          global_BD: ops.meanDim(predicted_BPD, [1]),
          registers_BRD: ops.narrow(encoded.tokens_BTD, 1, 0, count),
          patches_BYXD: grid(encoded.tokens_BTD),
          ...(options.blocks && { blocks: new Map(blocks) }),
        };
      }),
    );
  }
}
