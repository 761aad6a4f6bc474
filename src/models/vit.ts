// B batch · P patches of an image · V visible patches · R registers · T tokens (registers, then patches) · D width
import { Block } from '../nn/block.js';
import type { DropPathOptions } from '../nn/drop-path.js';
import { normal } from '../nn/init.js';
import { Module, type Parameter } from '../nn/module.js';
import { RmsNorm } from '../nn/rms-norm.js';
import type { RopeOptions } from '../nn/rope.js';
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';
import { PatchEmbedding, type Patches, patchCoordinates } from './patches.js';

export interface VitOptions {
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

/** What an encoder gives: normalised tokens of one layer, registers first, with their coordinates. */
export interface Encoded {
  readonly tokens_BTD: Tensor;
  /** First axis 1 where all images share the coordinates. */
  readonly coordinates_BT2: Tensor;
}

/** An encoder's result with the raw outputs of the blocks that were asked for. */
export interface EncodedBlocks extends Encoded {
  readonly blocks: ReadonlyMap<number, Tensor>;
}

export interface ForwardOptions {
  /** Absolute int64 indices into the flattened (B·P) patches, image by image, equally many each; all by default. */
  readonly visible?: Tensor;
  /** Generator of the dropped paths while training; absent, nothing is dropped. */
  readonly dropPath?: Generator;
  /** Blocks whose raw output (B, T, D) is kept, counted from 0. */
  readonly blocks?: readonly number[];
}

/**
 * CAPI's encoder: a pre-norm vision transformer without biases, with rotary positions and registers, and a final RMSNorm
 * without weight. Source: CAPI model.py `EncoderDecoder.prepare_tokens_and_drop`, `forward_features`.
 */
export class VisionTransformer extends Module {
  readonly registers: Parameter;
  readonly blocks: Block[];
  readonly patchEmbed: PatchEmbedding;
  readonly norm: RmsNorm;
  readonly options: VitOptions;

  constructor(options: VitOptions, generator: Generator) {
    super();
    this.options = options;
    const { width, depth } = options;
    this.patchEmbed = new PatchEmbedding(options.patchSize, width, generator);
    this.registers = normal([1, options.registers, width], 0.02, generator);
    this.blocks = Array.from({ length: depth }, () => new Block({ ...options, generator }));
    this.norm = new RmsNorm(width, options.normEps, false);
  }

  /** Normalised tokens after the last block. */
  forward(patches: Patches, options: ForwardOptions = {}): EncodedBlocks {
    return scope(() => {
      const blocks = new Map<number, Tensor>();
      const { tokens_BTD, coordinates_BT2 } = this.#embed(patches, options.visible);
      let x_BTD = tokens_BTD;
      for (const [index, block] of this.blocks.entries()) {
        x_BTD = block.forward(x_BTD, coordinates_BT2, undefined, options.dropPath);
        if (options.blocks?.includes(index)) blocks.set(index, x_BTD);
      }
      return { tokens_BTD: this.norm.forward(x_BTD), coordinates_BT2, blocks };
    });
  }

  #embed(patches: Patches, visible?: Tensor): Encoded {
    return scope(() => {
      const { registers: count } = this.options;
      const batch = patches.pixels_BPE.size(0);
      const all_1P2 = patchCoordinates(patches.rows, patches.columns, patches.pixels_BPE);
      const coordinates_BV2 = visible ? gatherCoordinates(all_1P2, visible, batch) : all_1P2;
      // Only visible patches are embedded: a gather before the linear map equals one after it, and costs less.
      const pixels_BVE = visible
        ? ops.unflatten(ops.indexSelect(ops.flatten(patches.pixels_BPE, 0, 1), 0, visible), 0, [batch, -1])
        : patches.pixels_BPE;
      const embedded_BVD = this.patchEmbed.forward(pixels_BVE);
      const registers_BRD = ops.expand(this.registers, [batch, count, this.options.width]);
      return {
        tokens_BTD: ops.cat([registers_BRD, embedded_BVD], 1),
        coordinates_BT2: ops.cat([this.#registerCoordinates(coordinates_BV2), coordinates_BV2], 1),
      };
    });
  }

  #registerCoordinates(coordinates_BV2: Tensor): Tensor {
    return scope(() => {
      const { registers: count, registerCoordinates, scaleRegistersToVisible } = this.options;
      const square = registerCoordinates === 'edge' ? edgeCoordinates(count) : new Float64Array(2 * count);
      const { dtype, device } = coordinates_BV2;
      const square_1R2 = ops.toDevice(Tensor.from(square, [1, count, 2]), device, dtype);
      if (!scaleRegistersToVisible) return ops.expand(square_1R2, [coordinates_BV2.size(0), count, 2]);
      const low = ops.amin(coordinates_BV2, [1], true);
      const high = ops.amax(coordinates_BV2, [1], true);
      return ops.add(low, ops.mul(square_1R2, ops.sub(high, low)));
    });
  }
}

/** Coordinates of chosen patches, (B, V, 2), from shared ones (1, P, 2) and absolute indices. */
export function gatherCoordinates(all_1P2: Tensor, indices: Tensor, batch: number): Tensor {
  return scope(() => {
    const all_Q2 = ops.reshape(ops.expand(all_1P2, [batch, all_1P2.size(1), 2]), [-1, 2]);
    return ops.unflatten(ops.indexSelect(all_Q2, 0, indices), 0, [batch, -1]);
  });
}

/**
 * Registers around the unit square, as (row, column): down the first column, along the last row, up, and back.
 * Source: CAPI model.py `get_edge_coordinates`.
 */
export function edgeCoordinates(count: number): Float64Array {
  const side = count / 4;
  const result = new Float64Array(2 * count);
  for (let i = 0; i < side; i++) {
    const c = i / side;
    const corners = [
      [c, 0],
      [1, c],
      [1 - c, 1],
      [0, 1 - c],
    ];
    for (const [edge, point] of corners.entries()) result.set(point, 2 * (edge * side + i));
  }
  return result;
}
