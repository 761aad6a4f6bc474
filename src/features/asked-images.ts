// B images of a batch · S side in pixels
import type { ImageBatch } from '../data/loader.js';
import { normaliseImages } from '../models/patches.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';

/** Bytes of a batch's images, without those that stand in for broken ones. @param shape of one image's */
export function askedBytes({ size, asked }: ImageBatch, bytes: Uint8Array, shape: readonly number[]): Tensor {
  return scope(() => {
    const all = Tensor.from(bytes, [size, ...shape]);
    return asked.length === size ? all : ops.indexSelect(all, 0, Tensor.from(asked, [asked.length]));
  });
}

/** A batch's images of one view, normalised (B, 3, S, S), without those that stand in for broken ones. */
export function askedImages(batch: ImageBatch, size: number, device: string): Tensor {
  return scope(() => normaliseImages(ops.toDevice(askedBytes(batch, batch.images, [size, size, 3]), device, 'uint8')));
}

/** Class ids of the same images. */
export function askedLabels({ asked, labels }: ImageBatch): Int32Array {
  return asked.map((row) => labels[row]!);
}
