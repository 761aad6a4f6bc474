// B batch · P patches · Q predicted patches of an image · D width
import { EncoderPredictor, type EncoderPredictorOptions } from '../../models/encoder-predictor.js';
import type { Patches } from '../../models/patches.js';
import { PositionTable } from '../../models/position-table.js';
import { type ForwardOptions, VisionTransformer } from '../../models/vit.js';
import type { VitOptions } from '../../models/vit-options.js';
import { normal } from '../../nn/init.js';
import { Module, type Parameter } from '../../nn/module.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { ComparedPredictor, type ComparedPredictorOptions, placedMasks } from './compared-predictor.js';
import { type HeadOptions, StudentHead } from './student-head.js';

/** CAPI's network as published, or one of those that its paper compares. A head is missing where the loss needs none. */
export type CapiNetworkOptions = { readonly head: HeadOptions | undefined } & (
  | { readonly kind: 'published'; readonly network: EncoderPredictorOptions }
  | { readonly kind: 'split'; readonly encoder: VitOptions; readonly predictor: ComparedPredictorOptions }
  | { readonly kind: 'fused'; readonly encoder: VitOptions }
);

/** What trains, and its moving average: an encoder, what predicts masked patches, and a head. */
export abstract class CapiNetwork extends Module {
  abstract readonly backbone: EncoderPredictor | VisionTransformer;
  abstract readonly head: StudentHead | undefined;

  /** Features of all patches, without registers: (B, P, D). */
  abstract encodePatches(patches: Patches): Tensor;

  /**
   * Outputs (B·Q, D) at `predict`, from the visible patches only.
   * @param predict absolute int64 indices into the flattened (B·P) patches, image by image
   */
  abstract predictMasked(patches: Patches, predict: Tensor, options: ForwardOptions): Tensor;
}

/** @returns a network of the kind that is asked for, with random weights */
export function createCapiNetwork(options: CapiNetworkOptions, generator: Generator): CapiNetwork {
  if (options.kind === 'published') return new PublishedNetwork(options.network, options.head, generator);
  if (options.kind === 'split') return new SplitNetwork(options.encoder, options.predictor, options.head, generator);
  return new FusedNetwork(options.encoder, options.head, generator);
}

function headOf(options: HeadOptions | undefined, generator: Generator): StudentHead | undefined {
  return options && new StudentHead(options, generator);
}

class PublishedNetwork extends CapiNetwork {
  readonly backbone: EncoderPredictor;
  readonly head: StudentHead | undefined;

  constructor(network: EncoderPredictorOptions, head: HeadOptions | undefined, generator: Generator) {
    super();
    this.backbone = new EncoderPredictor(network, generator);
    this.head = headOf(head, generator);
  }

  encodePatches(patches: Patches): Tensor {
    return this.backbone.encodePatches(patches);
  }

  predictMasked(patches: Patches, predict: Tensor, options: ForwardOptions): Tensor {
    return this.backbone.predictMasked(patches, predict, options);
  }
}

/** Networks whose encoder is a vision transformer alone, also after training: the predictor has no part in its features. */
abstract class ComparedNetwork extends CapiNetwork {
  abstract override readonly backbone: VisionTransformer;

  encodePatches(patches: Patches): Tensor {
    return scope(() => this.backbone.split(this.backbone.forward(patches).tokens_BTD).patches_BPD);
  }
}

class SplitNetwork extends ComparedNetwork {
  readonly backbone: VisionTransformer;
  readonly predictor: ComparedPredictor;
  readonly head: StudentHead | undefined;

  constructor(
    encoder: VitOptions,
    predictor: ComparedPredictorOptions,
    head: HeadOptions | undefined,
    generator: Generator,
  ) {
    super();
    this.backbone = new VisionTransformer(encoder, generator);
    this.predictor = new ComparedPredictor(predictor, generator);
    this.head = headOf(head, generator);
  }

  predictMasked(patches: Patches, predict: Tensor, options: ForwardOptions): Tensor {
    return scope(() => {
      const context = this.backbone.forward(patches, options);
      return ops.flatten(this.predictor.forward(context, predict, patches, options.dropPath), 0, 1);
    });
  }
}

class MaskToken extends Module {
  readonly maskToken: Parameter;

  constructor(width: number, generator: Generator) {
    super();
    this.maskToken = normal([1, width], 0.02, generator);
  }
}

/** One transformer for visible patches and mask tokens, as BEiT and iBOT have it; the teacher's sees no mask tokens. */
class FusedNetwork extends ComparedNetwork {
  readonly backbone: VisionTransformer;
  readonly predictor: MaskToken;
  readonly head: StudentHead | undefined;

  constructor(encoder: VitOptions, head: HeadOptions | undefined, generator: Generator) {
    super();
    this.backbone = new VisionTransformer(encoder, generator);
    this.predictor = new MaskToken(encoder.width, generator);
    this.head = headOf(head, generator);
  }

  predictMasked(patches: Patches, predict: Tensor, options: ForwardOptions): Tensor {
    return scope(() => {
      const { positions } = this.backbone;
      const table = positions instanceof PositionTable ? positions : undefined;
      const extra = placedMasks(this.predictor.maskToken, predict, patches, table);
      const { tokens_BTD } = this.backbone.forward(patches, { ...options, extra });
      const queries = extra.tokens_BTD.size(1);
      return ops.flatten(ops.narrow(tokens_BTD, 1, tokens_BTD.size(1) - queries, queries), 0, 1);
    });
  }
}
