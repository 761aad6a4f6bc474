// B batch · P patches · Y X pixels
import type { ImageBatch } from '../data/loader.js';
import type { MaskedBatch } from '../masks/masked-batch.js';
import { normalisePixels } from '../models/patches.js';
import type { DType } from '../tensor/dtype.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';

/** Images with what an encoder sees of them and what is predicted: absolute int64 indices into the flattened (B·P) patches. */
export interface MaskedImages {
  readonly images_B3YX: Tensor;
  readonly visible: Tensor;
  readonly predict: Tensor;
}

/** Square images with their masks where a method wants them. */
export function maskedImages(
  { images, size }: Pick<ImageBatch, 'images' | 'size'>,
  { visible, predict }: MaskedBatch,
  { side, device, dtype }: { readonly side: number; readonly device: string; readonly dtype: DType },
): MaskedImages {
  const indices = (values: Int32Array) => ops.toDevice(Tensor.from(values, [values.length]), device, 'int64');
  return scope(() => ({
    images_B3YX: normalisePixels(images, [size, side, side], device, dtype),
    visible: indices(visible),
    predict: indices(predict),
  }));
}
