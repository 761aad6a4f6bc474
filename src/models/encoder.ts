// B batch · A heads · R registers · D width · Y X rows and columns of patches
import type { Tensor } from '../tensor/tensor.js';

/** What evaluations and pictures need of an image. */
export interface Embedding {
  /** One vector an image; its width may differ from that of the patches. */
  readonly global_BD: Tensor;
  /** The class token after the final norm, where the encoder has one. */
  readonly class_BD?: Tensor;
  /** Extra tokens, R may be 0. */
  readonly registers_BRD: Tensor;
  readonly patches_BYXD: Tensor;
  /** By block, those asked for. */
  readonly blocks?: ReadonlyMap<number, BlockFeatures>;
  /** By block, those asked for, of encoders that have attention. */
  readonly attention?: ReadonlyMap<number, BlockAttention>;
}

/** The shares of attention that patches get in one block, by head. Shares of all tokens sum to one. */
export interface BlockAttention {
  /** From the class token, where there is one. */
  readonly class_BAYX?: Tensor;
  /** From each register. */
  readonly registers_BARYX: Tensor;
}

/** What one block gives, before any norm that follows it. */
export interface BlockFeatures {
  readonly class_BD?: Tensor;
  readonly patches_BYXD: Tensor;
}

export interface EmbedOptions {
  /** Blocks whose output is wanted as well, counted from 0. */
  readonly blocks?: readonly number[];
  /** Blocks whose attention is wanted as well, counted from 0. */
  readonly attention?: readonly number[];
}

/** Any encoder that can be judged: CAPI's contract for evaluation (model.py `VisionEncoder`). */
export interface ImageEncoder {
  /** Side of a patch in pixels; image sides are multiples of it. */
  readonly patchSize: number;
  /** Width of the patch features. */
  readonly width: number;
  /** Number of blocks; 0 where there are none. */
  readonly depth: number;
  /** The only side of images in pixels that it takes; absent where it takes any. */
  readonly imageSize?: number | undefined;
  /** Hash of all that its features depend on, weights and options; features of encoders without one are not kept. */
  fingerprint?(): string;
  /** Features of normalised images (B, 3, Y, X), computed without gradients. The caller owns the tensors. */
  embed(images_B3YX: Tensor, options?: EmbedOptions): Embedding;
  dispose(): void;
}

/** How to build an encoder before its weights are loaded, as a checkpoint keeps it: a kind, and that kind's options. */
export interface EncoderDescription {
  readonly kind: string;
  readonly [option: string]: unknown;
}
