// B batch · P patches · Q predicted patches of an image · T context tokens · D width
import { gatherShared, type Patches, patchCoordinates } from '../../models/patches.js';
import { PositionTable } from '../../models/position-table.js';
import type { Encoded } from '../../models/vit.js';
import { Block } from '../../nn/block.js';
import type { DropPathOptions } from '../../nn/drop-path.js';
import { normal } from '../../nn/init.js';
import { Linear } from '../../nn/linear.js';
import { Module, type Parameter } from '../../nn/module.js';
import { RmsNorm } from '../../nn/rms-norm.js';
import type { RopeOptions } from '../../nn/rope.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** A grid of patches. */
export interface Grid {
  readonly rows: number;
  readonly columns: number;
}

/** How mask tokens know their place: by turning queries and keys, or by a trained vector for each patch of a grid. */
export type MaskPositions = { readonly rope: RopeOptions } | { readonly learned: Grid };

export interface ComparedPredictorOptions {
  /** Mask tokens attend to the encoder's tokens, or all of them to each other. */
  readonly kind: 'cross' | 'self';
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Width of the encoder. */
  readonly contextWidth: number;
  readonly normEps: number;
  readonly dropPath: DropPathOptions;
  readonly positions: MaskPositions;
}

/**
 * Mask tokens at predicted patches. With learned positions each has that of its patch added, from `table` where one is
 * given; otherwise it has coordinates.
 */
export function placedMasks(maskToken: Tensor, predict: Tensor, patches: Patches, table?: PositionTable): Encoded {
  return scope(() => {
    const batch = patches.pixels_BPE.size(0);
    const { rows, columns } = patches;
    if (table) return { tokens_BTD: ops.add(maskToken, gatherShared(table.forward(rows, columns), predict, batch)) };
    const tokens_BTD = ops.expand(maskToken, [batch, predict.length / batch, maskToken.size(-1)]);
    const all_1P2 = patchCoordinates(rows, columns, patches.pixels_BPE);
    return { tokens_BTD, coordinates_BT2: gatherShared(all_1P2, predict, batch) };
  });
}

/**
 * The predictors that CAPI's paper compares its own with: one whose tokens all see each other, as MAE and I-JEPA have it,
 * and those with learned positions. Source: arXiv 2502.08769, figure 5 and tables 1a and 1h; what these leave open is in
 * docs/parity.md.
 */
export class ComparedPredictor extends Module {
  readonly maskToken: Parameter;
  readonly positions: PositionTable | undefined;
  readonly embed: Linear | undefined;
  readonly blocks: Block[];
  readonly norm: RmsNorm;

  constructor({ kind, positions, ...options }: ComparedPredictorOptions, generator: Generator) {
    super();
    const { width, depth, normEps, contextWidth } = options;
    this.maskToken = normal([1, width], 0.02, generator);
    this.positions =
      'learned' in positions
        ? new PositionTable({ ...positions.learned, width, learned: true, antialias: true, offset: 0 }, generator)
        : undefined;
    this.embed = kind === 'self' ? new Linear(contextWidth, width, { bias: false, generator }) : undefined;
    const block = {
      ...options,
      norm: { kind: 'rms', eps: normEps },
      qkvBias: 'none',
      biases: false,
      contextWidth: kind === 'self' ? width : contextWidth,
      rope: 'rope' in positions ? positions.rope : undefined,
    } as const;
    this.blocks = Array.from({ length: depth }, () => new Block({ ...block, generator }));
    this.norm = new RmsNorm(width, normEps, false);
  }

  /**
   * Normalised outputs (B, Q, D).
   * @param predict (B·Q) absolute int64 indices into the flattened (B·P) patches, image by image
   */
  forward(context: Encoded, predict: Tensor, patches: Patches, dropPath?: Generator): Tensor {
    return scope(() => {
      const masks = placedMasks(this.maskToken, predict, patches, this.positions);
      const queries = masks.tokens_BTD.size(1);
      let x_BTD = masks.tokens_BTD;
      let coordinates_BN2 = masks.coordinates_BT2;
      if (this.embed) {
        x_BTD = ops.cat([this.embed.forward(context.tokens_BTD), x_BTD], 1);
        coordinates_BN2 &&= ops.cat([context.coordinates_BT2!, coordinates_BN2], 1);
      }
      const attended = { tokens_BMD: context.tokens_BTD, coordinates_BM2: context.coordinates_BT2 };
      const inputs = { coordinates_BN2, context: this.embed ? undefined : attended };
      for (const block of this.blocks) x_BTD = block.forward(x_BTD, inputs, dropPath);
      return this.norm.forward(ops.narrow(x_BTD, 1, x_BTD.size(1) - queries, queries));
    });
  }
}
