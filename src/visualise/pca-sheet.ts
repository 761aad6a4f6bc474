// N images · Y X pixels or patches along the axes · D width
import type { Raster } from '../data/resample.js';
import type { ImageEncoder } from '../models/encoder.js';
import { normaliseImages } from '../models/patches.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';
import { patchColours } from './patch-colours.js';
import { drawSheet, type SheetRow } from './picture-sheet.js';
import { enlargeEvenly, enlargeSmoothly, shownSide } from './resize-pictures.js';
import type { SampleImage } from './sample-images.js';

/** An encoder to look at, and what to call it. */
export interface ShownEncoder {
  readonly name: string;
  readonly encoder: ImageEncoder;
}

/** Images that are embedded at once: bounds the memory, not the result. */
const batchSize = 8;

/**
 * Images above their patch features as colours: for each encoder a row with components of each image alone, and one
 * with components of all images, in which equal colours mean similar features.
 *
 * @param images of one size, a multiple of every encoder's patch size
 * @param device where the encoders are
 * @returns a PNG file
 * @throws {ShapeError} the size does not fit.
 */
export async function drawPcaSheet(
  images: readonly SampleImage[],
  encoders: readonly ShownEncoder[],
  device = 'cpu',
): Promise<Buffer> {
  const pictures = images.map(({ picture }) => picture);
  const side = shownSide(pictures[0]?.width ?? 1);
  const rows: SheetRow[] = [{ label: 'Images', cells: pictures.map((picture) => enlargeSmoothly(picture, side)) }];
  for (const { name, encoder } of encoders) {
    const { alone, together } = scope(() => patchColours(patchFeatures(pictures, encoder, device)));
    const cells = (small: readonly Raster[]) => small.map((picture) => enlargeEvenly(picture, side));
    rows.push({ label: `${name}: colours of each image alone`, cells: cells(alone) });
    rows.push({ label: `${name}: colours shared by all images`, cells: cells(together) });
  }
  return drawSheet({ rows, captions: images.map(({ caption }) => caption) });
}

/** Patch features of pictures of one size: (N, Y, X, D). */
function patchFeatures(pictures: readonly Raster[], encoder: ImageEncoder, device: string): Tensor {
  return scope(() => {
    const parts: Tensor[] = [];
    for (let start = 0; start < pictures.length; start += batchSize) {
      const batch = pictures.slice(start, start + batchSize);
      parts.push(
        scope(() => {
          const pixels = ops.stack(batch.map(({ data, height, width }) => Tensor.from(data, [height, width, 3])));
          return encoder.embed(normaliseImages(ops.toDevice(pixels, device, 'uint8'))).patches_BYXD;
        }),
      );
    }
    return ops.cat(parts);
  });
}
