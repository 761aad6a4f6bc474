// B batch · Q queries of an image · T context tokens · D width
import { Block } from '../nn/block.js';
import type { DropPathOptions } from '../nn/drop-path.js';
import { normal } from '../nn/init.js';
import { Module, type Parameter } from '../nn/module.js';
import { RmsNorm } from '../nn/rms-norm.js';
import type { RopeOptions } from '../nn/rope.js';
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import type { Encoded } from './vit.js';

export interface PredictorOptions {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Width of the encoder whose tokens are attended to. */
  readonly contextWidth: number;
  readonly normEps: number;
  readonly dropPath: DropPathOptions;
  readonly rope: RopeOptions;
}

/**
 * CAPI's predictor: mask tokens that know their position attend to the encoder's output, block by block. Queries never
 * see each other, so predicting some positions only is exact. Source: CAPI model.py, the `decoder` of `EncoderDecoder`.
 */
export class Predictor extends Module {
  readonly maskToken: Parameter;
  readonly blocks: Block[];
  readonly norm: RmsNorm;
  readonly options: PredictorOptions;

  constructor(options: PredictorOptions, generator: Generator) {
    super();
    this.options = options;
    this.maskToken = normal([1, options.width], 0.02, generator);
    const norm = { kind: 'rms', eps: options.normEps } as const;
    const block = { ...options, norm, qkvBias: 'none', biases: false, generator } as const;
    this.blocks = Array.from({ length: options.depth }, () => new Block(block));
    this.norm = new RmsNorm(options.width, options.normEps, false);
  }

  /**
   * Normalised outputs (B, Q, D) at the queried coordinates (B, Q, 2), whose first axis may be 1.
   * @param layers run only so many blocks: evaluation uses the first one's output
   */
  forward(context: Encoded, coordinates_BQ2: Tensor, layers: number, dropPath?: Generator): Tensor {
    return scope(() => {
      const batch = context.tokens_BTD.size(0);
      let x_BQD = ops.expand(this.maskToken, [batch, coordinates_BQ2.size(1), this.options.width]);
      const given = { tokens_BMD: context.tokens_BTD, coordinates_BM2: context.coordinates_BT2 };
      const inputs = { coordinates_BN2: coordinates_BQ2, context: given };
      for (const block of this.blocks.slice(0, layers)) x_BQD = block.forward(x_BQD, inputs, dropPath);
      return this.norm.forward(x_BQD);
    });
  }
}
