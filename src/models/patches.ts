// B batch · P patches · E values of a patch · D width · Y X pixels or patches along the axes

import { uniform } from '../nn/init.js';
import { Module, type Parameter } from '../nn/module.js';
import { ShapeError } from '../support/errors.js';
import type { DType } from '../tensor/dtype.js';
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';

/** Images cut into patches, each flattened as channel, row, column. */
export interface Patches {
  readonly pixels_BPE: Tensor;
  readonly rows: number;
  readonly columns: number;
}

/** ImageNet's channel statistics, which CAPI and MIM-Refiner normalise with. */
export const IMAGE_MEAN: readonly number[] = [0.485, 0.456, 0.406];
export const IMAGE_STD: readonly number[] = [0.229, 0.224, 0.225];

/**
 * Pixels (B, Y, X, 3) uint8 to normalised images (B, 3, Y, X): divided by 255, mean subtracted, divided by the deviation.
 */
export function normaliseImages(pixels_BYX3: Tensor, dtype: DType = 'float32'): Tensor {
  return scope(() => {
    const device = pixels_BYX3.device;
    const [mean, std] = [IMAGE_MEAN, IMAGE_STD].map((values) =>
      ops.toDevice(Tensor.from(Float64Array.from(values), [3]), device, dtype),
    ) as [Tensor, Tensor];
    const unit_BYX3 = ops.div(ops.to(pixels_BYX3, dtype), 255);
    return ops.permute(ops.div(ops.sub(unit_BYX3, mean), std), [0, 3, 1, 2]);
  });
}

/** Normalised images (B, 3, Y, X) on a device from the bytes of their pixels, `shape` being (B, Y, X). */
export function normalisePixels(
  pixels: Uint8Array,
  shape: readonly [number, number, number],
  device: string,
  dtype?: DType,
): Tensor {
  return scope(() => normaliseImages(ops.toDevice(Tensor.from(pixels, [...shape, 3]), device, 'uint8'), dtype));
}

/** Cuts images (B, 3, Y, X) into patches. @throws {ShapeError} a side is not a multiple of the patch size. */
export function patchify(images_B3YX: Tensor, patchSize: number): Patches {
  const [batch, channels, height, width] = images_B3YX.shape as [number, number, number, number];
  if (height % patchSize !== 0 || width % patchSize !== 0) {
    throw new ShapeError(
      `Expected image sides that are multiples of the patch size ${patchSize}, received ${width}x${height}.`,
      {
        hint: `Use ${Math.round(width / patchSize) * patchSize}x${Math.round(height / patchSize) * patchSize}.`,
      },
    );
  }
  const [rows, columns] = [height / patchSize, width / patchSize];
  const pixels_BPE = scope(() => {
    const cut = ops.reshape(images_B3YX, [batch, channels, rows, patchSize, columns, patchSize]);
    return ops.reshape(ops.permute(cut, [0, 2, 4, 1, 3, 5]), [batch, rows * columns, channels * patchSize ** 2]);
  });
  return { pixels_BPE, rows, columns };
}

/** Row and column of every patch, each from 0 to 1 with both ends included, row by row: (1, P, 2). */
export function patchCoordinates(rows: number, columns: number, like: Tensor): Tensor {
  const at = (index: number, count: number) => (count === 1 ? 0 : index / (count - 1));
  const values = new Float64Array(rows * columns * 2);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) values.set([at(r, rows), at(c, columns)], 2 * (r * columns + c));
  }
  return scope(() => ops.toDevice(Tensor.from(values, [1, rows * columns, 2]), like.device, like.dtype));
}

/** What all images share (1, P, D) at chosen patches: (B, V, D). Indices (B·V) are absolute, image by image. */
export function gatherShared(all_1PD: Tensor, indices: Tensor, batch: number): Tensor {
  return scope(() => {
    const rows_S = ops.remainder(indices, all_1PD.size(1));
    return ops.unflatten(ops.indexSelect(ops.select(all_1PD, 0, 0), 0, rows_S), 0, [batch, -1]);
  });
}

/**
 * A linear map of patches with PyTorch's convolution layout: weight (D, 3, p, p), bias (D). The weight starts
 * Glorot-uniform over its (D, 3p²) view; the bias keeps the convolution's default, uniform within 1/√(3p²).
 */
export class PatchEmbedding extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(patchSize: number, width: number, generator: Generator) {
    super();
    const inputs = 3 * patchSize ** 2;
    this.weight = uniform([width, 3, patchSize, patchSize], Math.sqrt(6 / (inputs + width)), generator);
    this.bias = uniform([width], 1 / Math.sqrt(inputs), generator);
  }

  forward(pixels_BPE: Tensor): Tensor {
    return scope(() => ops.linear(pixels_BPE, ops.flatten(this.weight, 1, 3), this.bias));
  }
}
