// B batch · V visible and M masked patches of an image · T tokens of the encoder (class token first) · D width
// E values of a patch
import { gatherShared } from '../../models/patches.js';
import { PositionTable } from '../../models/position-table.js';
import { Block } from '../../nn/block.js';
import { normal } from '../../nn/init.js';
import { LayerNorm } from '../../nn/layer-norm.js';
import { Linear } from '../../nn/linear.js';
import { Module, type Parameter } from '../../nn/module.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

export interface DecoderOptions {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Width of the encoder. */
  readonly contextWidth: number;
  /** The grid of patches. */
  readonly rows: number;
  readonly columns: number;
  /** Values of a patch. */
  readonly pixels: number;
}

/**
 * MAE's decoder: a small transformer over the encoder's tokens and a mask token for every masked patch, then a linear map
 * to pixels. Tokens have fixed positions and no order, so masked ones simply come last, where the published code sorts them
 * into the image. Source: MAE models_mae.py `forward_decoder`; MIM-Refiner models/vit/mae_decoder.py.
 */
export class MaeDecoder extends Module {
  readonly maskToken: Parameter;
  readonly positions: PositionTable;
  readonly embed: Linear;
  readonly blocks: Block[];
  readonly norm: LayerNorm;
  readonly prediction: Linear;

  constructor(options: DecoderOptions, generator: Generator) {
    super();
    const { width, contextWidth } = options;
    this.embed = new Linear(contextWidth, width, { bias: true, generator });
    this.maskToken = normal([1, 1, width], 0.02, generator);
    this.positions = new PositionTable({ ...options, learned: false, antialias: false, offset: 0 }, generator);
    this.blocks = Array.from(
      { length: options.depth },
      () => new Block({ ...options, contextWidth: width, generator }),
    );
    this.norm = new LayerNorm(width, 1e-6, true);
    this.prediction = new Linear(width, options.pixels, { bias: true, generator });
  }

  /**
   * Predicted values of the masked patches (B, M, E), in the order of `masked`.
   * @param tokens_BTD the encoder's result, class token first, then the visible patches
   * @param visible (B·V), and masked (B·M): absolute int64 indices into the flattened (B·P) patches, image by image
   */
  forward(tokens_BTD: Tensor, visible: Tensor, masked: Tensor): Tensor {
    return scope(() => {
      const batch = tokens_BTD.size(0);
      const embedded_BTD = this.embed.forward(tokens_BTD);
      const count = embedded_BTD.size(1);
      const class_B1D = ops.narrow(embedded_BTD, 1, 0, 1);
      const table_1PD = ops.flatten(this.positions.table, 1, 2);
      const visible_BVD = ops.add(ops.narrow(embedded_BTD, 1, 1, count - 1), gatherShared(table_1PD, visible, batch));
      const masked_BMD = ops.add(this.maskToken, gatherShared(table_1PD, masked, batch));
      let x_BTD = ops.cat([class_B1D, visible_BVD, masked_BMD], 1);
      for (const block of this.blocks) x_BTD = block.forward(x_BTD);
      const last_BMD = ops.narrow(x_BTD, 1, count, masked_BMD.size(1));
      return this.prediction.forward(this.norm.forward(last_BMD));
    });
  }
}
