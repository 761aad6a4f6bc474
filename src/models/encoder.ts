// B batch · R registers · D width · Y X rows and columns of patches
import type { Tensor } from '../tensor/tensor.js';

/** What evaluations and pictures need of an image. */
export interface Embedding {
  /** One vector an image; its width may differ from that of the patches. */
  readonly global_BD: Tensor;
  /** Extra tokens, R may be 0. */
  readonly registers_BRD: Tensor;
  readonly patches_BYXD: Tensor;
}

/** Any encoder that can be judged: CAPI's contract for evaluation (model.py `VisionEncoder`). */
export interface ImageEncoder {
  /** Side of a patch in pixels; image sides are multiples of it. */
  readonly patchSize: number;
  /** Width of the patch features. */
  readonly width: number;
  /** Features of normalised images (B, 3, Y, X), computed without gradients. The caller owns the tensors. */
  embed(images_B3YX: Tensor): Embedding;
  dispose(): void;
}

/** How to build an encoder before its weights are loaded, as a checkpoint keeps it: a kind, and that kind's options. */
export interface EncoderDescription {
  readonly kind: string;
  readonly [option: string]: unknown;
}
