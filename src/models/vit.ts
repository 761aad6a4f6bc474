// B batch · P patches of an image · V visible patches · R registers · T tokens (class token, registers, patches) · D width
// Y X rows and columns of patches
import { Block } from '../nn/block.js';
import { normal } from '../nn/init.js';
import { Module, type Parameter } from '../nn/module.js';
import { createNorm, type Norm } from '../nn/norm.js';
import { ShapeError } from '../support/errors.js';
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';
import type { BlockAttention, BlockFeatures, Embedding, EmbedOptions, ImageEncoder } from './encoder.js';
import { moduleFingerprint } from './module-fingerprint.js';
import { gatherShared, PatchEmbedding, type Patches, patchCoordinates, patchify } from './patches.js';
import { PositionTable, sineTable } from './position-table.js';
import { registerCoordinates } from './register-coordinates.js';
import { RelativePositions } from './relative-positions.js';
import type { VitOptions } from './vit-options.js';

/** What an encoder gives: its result's tokens, class token and registers first. */
export interface Encoded {
  readonly tokens_BTD: Tensor;
  /** Of encoders with rotary positions: where the tokens are. First axis 1 where all images share the coordinates. */
  readonly coordinates_BT2?: Tensor | undefined;
}

/** An encoder's result with the raw outputs of the blocks that were asked for. */
export interface EncodedBlocks extends Encoded {
  readonly blocks: ReadonlyMap<number, Tensor>;
  /** By block: how class token and registers attend to all tokens, (B, heads, class token and registers, T). */
  readonly attention: ReadonlyMap<number, Tensor>;
}

export interface ForwardOptions {
  /** Absolute int64 indices into the flattened (B·P) patches, image by image, equally many each; all by default. */
  readonly visible?: Tensor;
  /** Generator of the dropped paths while training; absent, nothing is dropped. */
  readonly dropPath?: Generator;
  /** Tokens that go through the blocks behind those of the image. */
  readonly extra?: Encoded;
  /** Blocks whose raw output (B, T, D) is kept, counted from 0. */
  readonly blocks?: readonly number[];
  /** Blocks whose attention weights are kept, counted from 0. */
  readonly attention?: readonly number[];
}

/** Tokens by what they are. */
export interface SplitTokens {
  readonly class_BD?: Tensor;
  readonly registers_BRD: Tensor;
  readonly patches_BPD: Tensor;
}

/**
 * A vision transformer, of the kind that its options describe. Gradients flow through {@link forward} to the parameters
 * that require them. Sources: CAPI model.py `EncoderDecoder`; MIM-Refiner, kappamodules `PrenormVit`, `PostnormVit`;
 * DINOv2 vision_transformer.py; BEiT modeling_finetune.py; AIM.
 */
export class VisionTransformer extends Module implements ImageEncoder {
  readonly classToken: Parameter | undefined;
  readonly registers: Parameter | undefined;
  readonly positions: PositionTable | RelativePositions | undefined;
  readonly blocks: Block[];
  readonly patchEmbed: PatchEmbedding;
  readonly patchNorm: Norm | undefined;
  readonly embedNorm: Norm | undefined;
  readonly norm: Norm | undefined;
  readonly options: VitOptions;

  constructor(options: VitOptions, generator: Generator) {
    super();
    this.options = options;
    const { width, depth, norm, positions, dropPath } = options;
    this.patchEmbed = new PatchEmbedding(options.patchSize, width, generator);
    this.classToken = options.classToken ? normal([1, 1, width], 0.02, generator) : undefined;
    this.registers =
      options.registers === undefined ? undefined : normal([1, options.registers, width], 0.02, generator);
    if (positions.kind === 'table') this.positions = new PositionTable({ ...positions, width }, generator);
    if (positions.kind === 'relative')
      this.positions = new RelativePositions(positions.rows, positions.columns, options.heads);
    const rope = positions.kind === 'rope' ? positions : undefined;
    this.blocks = Array.from({ length: depth }, (_, index) => {
      const rate = dropPath.ramp ? (dropPath.rate * index) / Math.max(1, depth - 1) : dropPath.rate;
      return new Block({ ...options, rope, dropPath: { rate, kind: dropPath.kind }, generator });
    });
    this.patchNorm = options.patchNorm ? createNorm(width, norm) : undefined;
    this.embedNorm = options.embedNorm ? createNorm(width, norm) : undefined;
    this.norm = options.finalNorm === 'none' ? undefined : createNorm(width, norm, options.finalNorm === 'affine');
  }

  get patchSize(): number {
    return this.options.patchSize;
  }

  get width(): number {
    return this.options.width;
  }

  get depth(): number {
    return this.blocks.length;
  }

  get imageSize(): number | undefined {
    const { positions, patchSize } = this.options;
    return positions.kind === 'relative' && positions.rows === positions.columns
      ? positions.rows * patchSize
      : undefined;
  }

  fingerprint(): string {
    return moduleFingerprint(this, this.options);
  }

  /** How many tokens come before those of the patches. */
  get prefixTokens(): number {
    return (this.options.classToken ? 1 : 0) + (this.options.registers ?? 0);
  }

  /** The result's tokens: of the last block (or `outputBlock`), after the final norm where there is one. */
  forward(patches: Patches, options: ForwardOptions = {}): EncodedBlocks {
    return scope(() => {
      const blocks = new Map<number, Tensor>();
      const attention = new Map<number, Tensor>();
      const { tokens_BTD, coordinates_BT2 } = joined(this.#embed(patches, options.visible), options.extra);
      const inputs = { coordinates_BN2: coordinates_BT2, bias_1ANM: this.#attentionBias(patches, options.visible) };
      const { outputBlock = this.depth - 1 } = this.options;
      let x_BTD = tokens_BTD;
      let output_BTD = tokens_BTD;
      const last = Math.max(outputBlock, ...(options.blocks ?? []), ...(options.attention ?? []));
      for (const [index, block] of this.blocks.slice(0, last + 1).entries()) {
        if (options.attention?.includes(index))
          attention.set(index, block.attentionWeights(x_BTD, inputs, this.prefixTokens));
        x_BTD = block.forward(x_BTD, inputs, options.dropPath);
        if (options.blocks?.includes(index)) blocks.set(index, x_BTD);
        if (index === outputBlock) output_BTD = x_BTD;
      }
      return { tokens_BTD: this.norm?.forward(output_BTD) ?? output_BTD, coordinates_BT2, blocks, attention };
    });
  }

  /** The kinds of tokens in what {@link forward} gives. */
  split(tokens_BTD: Tensor): SplitTokens {
    return scope(() => {
      const first = this.options.classToken ? 1 : 0;
      const registers = this.options.registers ?? 0;
      const patches = tokens_BTD.size(1) - this.prefixTokens;
      return {
        ...(this.options.classToken && { class_BD: ops.select(tokens_BTD, 1, 0) }),
        registers_BRD: ops.narrow(tokens_BTD, 1, first, registers),
        patches_BPD: ops.narrow(tokens_BTD, 1, this.prefixTokens, patches),
      };
    });
  }

  /** Features for evaluation. The global one is the class token, or the mean of the patches where there is none. */
  embed(images_B3YX: Tensor, options: EmbedOptions = {}): Embedding {
    return scope(() =>
      noGrad(() => {
        const patches = patchify(images_B3YX, this.patchSize);
        const encoded = this.forward(patches, options);
        const { class_BD, registers_BRD, patches_BPD } = this.split(encoded.tokens_BTD);
        const blocks = [...encoded.blocks].map(([block, tokens_BTD]): [number, BlockFeatures] => [
          block,
          this.#blockFeatures(tokens_BTD, patches),
        ]);
        return {
          global_BD: class_BD ?? ops.meanDim(patches_BPD, [1]),
          ...(class_BD && { class_BD }),
          registers_BRD,
          patches_BYXD: ops.unflatten(patches_BPD, 1, [patches.rows, patches.columns]),
          ...(options.blocks && { blocks: new Map(blocks) }),
          ...(options.attention && { attention: this.attentionMaps(encoded.attention, patches) }),
        };
      }),
    );
  }

  /** The weights that {@link forward} keeps, as maps over the patches. */
  attentionMaps(weights: ReadonlyMap<number, Tensor>, { rows, columns }: Patches): Map<number, BlockAttention> {
    const maps = [...weights].map(([block, weights_BAQT]): [number, BlockAttention] => {
      const patches_BAQP = ops.narrow(weights_BAQT, 3, this.prefixTokens, rows * columns);
      const maps_BAQYX = ops.unflatten(patches_BAQP, 3, [rows, columns]);
      const first = this.options.classToken ? 1 : 0;
      const registers_BARYX = ops.narrow(maps_BAQYX, 2, first, this.prefixTokens - first);
      return [block, { ...(first > 0 && { class_BAYX: ops.select(maps_BAQYX, 2, 0) }), registers_BARYX }];
    });
    return new Map(maps);
  }

  #blockFeatures(tokens_BTD: Tensor, { rows, columns }: Patches): BlockFeatures {
    const { class_BD, patches_BPD } = this.split(tokens_BTD);
    return { ...(class_BD && { class_BD }), patches_BYXD: ops.unflatten(patches_BPD, 1, [rows, columns]) };
  }

  /** Tokens before the first block. */
  #embed(patches: Patches, visible?: Tensor): Encoded {
    return scope(() => {
      const batch = patches.pixels_BPE.size(0);
      // Only visible patches are embedded: a gather before the linear map equals one after it, and costs less.
      const pixels_BVE = visible
        ? ops.unflatten(ops.indexSelect(ops.flatten(patches.pixels_BPE, 0, 1), 0, visible), 0, [batch, -1])
        : patches.pixels_BPE;
      const embedded_BVD = this.patchEmbed.forward(pixels_BVE);
      const normed_BVD = this.patchNorm?.forward(embedded_BVD) ?? embedded_BVD;
      const positions_BVD = this.#positionsOf(patches, visible);
      const placed_BVD = positions_BVD ? ops.add(normed_BVD, positions_BVD) : normed_BVD;
      const prefix = [this.classToken, this.registers].filter((token) => token !== undefined);
      const tokens_BTD =
        prefix.length === 0
          ? placed_BVD
          : ops.cat([...prefix.map((token) => ops.expand(token, [batch, token.size(1), this.width])), placed_BVD], 1);
      return {
        tokens_BTD: this.embedNorm?.forward(tokens_BTD) ?? tokens_BTD,
        coordinates_BT2: this.#coordinates(patches, visible),
      };
    });
  }

  /** What is added to the embedded patches; the first axis is 1 where all images share it. */
  #positionsOf({ rows, columns, pixels_BPE }: Patches, visible?: Tensor): Tensor | undefined {
    const { positions, width } = this.options;
    if (positions.kind === 'rope' || positions.kind === 'relative') return undefined;
    const all_1PD =
      this.positions instanceof PositionTable
        ? this.positions.forward(rows, columns)
        : ops.toDevice(sineTable(rows, columns, width), pixels_BPE.device, pixels_BPE.dtype);
    return visible ? gatherShared(all_1PD, visible, pixels_BPE.size(0)) : all_1PD;
  }

  /** Where all tokens are, for rotary positions. */
  #coordinates(patches: Patches, visible?: Tensor): Tensor | undefined {
    const { positions, registers = 0 } = this.options;
    if (positions.kind !== 'rope') return undefined;
    const all_1P2 = patchCoordinates(patches.rows, patches.columns, patches.pixels_BPE);
    const coordinates_BV2 = visible ? gatherShared(all_1P2, visible, patches.pixels_BPE.size(0)) : all_1P2;
    return ops.cat([registerCoordinates(coordinates_BV2, registers, positions), coordinates_BV2], 1);
  }

  #attentionBias({ rows, columns }: Patches, visible?: Tensor): Tensor | undefined {
    if (!(this.positions instanceof RelativePositions)) return undefined;
    if (visible) throw new ShapeError('Expected whole images for an encoder with relative positions, received a part.');
    return this.positions.forward(rows, columns, this.options.classToken);
  }
}

function joined(tokens: Encoded, extra: Encoded | undefined): Encoded {
  if (extra === undefined) return tokens;
  const both = (a?: Tensor, b?: Tensor) => a && b && ops.cat([a, b], 1);
  return {
    tokens_BTD: ops.cat([tokens.tokens_BTD, extra.tokens_BTD], 1),
    coordinates_BT2: both(tokens.coordinates_BT2, extra.coordinates_BT2),
  };
}
