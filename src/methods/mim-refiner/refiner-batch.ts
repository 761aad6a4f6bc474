// B images · V views of one size · Y X pixels
import type { ImageBatch } from '../../data/loader.js';
import { normaliseImages } from '../../models/patches.js';
import type { DType } from '../../tensor/dtype.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
import type { QueuedImages } from './neighbour-queue.js';

/** Views of a step's images: by size, each view-major (all images of the first view, then of the second, …). */
export interface RefinerBatch extends QueuedImages {
  readonly globals_N3YX: Tensor;
  readonly locals_N3YX?: Tensor | undefined;
  /** Whether the class of any image is known. */
  readonly labelled: boolean;
}

/** Where decoded views go. */
export interface BatchPlace {
  readonly dtype: DType;
  readonly device: string;
}

/** What a batch takes from the loader. */
export type DecodedViews = Pick<
  ImageBatch,
  'images' | 'size' | 'viewSizes' | 'viewOffsets' | 'sampleBytes' | 'indices' | 'labels'
>;

/** @param globalViews how many of the views are global; the others are local, all of one size */
export function refinerBatch(decoded: DecodedViews, globalViews: number, place: BatchPlace): RefinerBatch {
  return scope(() => {
    const { size, viewSizes, viewOffsets } = decoded;
    const samples = Tensor.from(decoded.images, [size, decoded.sampleBytes]);
    const viewMajor = (first: number, views: number) => {
      const side = viewSizes[first]!;
      const bytes = ops.narrow(samples, 1, viewOffsets[first]!, views * side * side * 3);
      const pixels_VBYX3 = ops.transpose(ops.reshape(bytes, [size, views, side, side, 3]), 0, 1);
      const flat = ops.toDevice(ops.flatten(pixels_VBYX3, 0, 1), place.device, 'uint8');
      return normaliseImages(flat, place.dtype);
    };
    const whole = (values: Int32Array) => ops.toDevice(Tensor.from(values, [size]), place.device, 'int64');
    const locals = viewSizes.length - globalViews;
    return {
      globals_N3YX: viewMajor(0, globalViews),
      locals_N3YX: locals > 0 ? viewMajor(globalViews, locals) : undefined,
      indices_B: whole(decoded.indices),
      labels_B: whole(decoded.labels),
      labelled: decoded.labels.some((label) => label >= 0),
    };
  });
}
