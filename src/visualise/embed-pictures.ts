// N images · B batch · Y X rows and columns of patches, or pixels · D width
import type { Raster } from '../data/resample.js';
import { checkSize } from '../features/extract.js';
import type { ImageEncoder } from '../models/encoder.js';
import { normaliseImages } from '../models/patches.js';
import { byteText } from '../support/byte-text.js';
import { TesseraError, UsageError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../tensor/tensor.js';

/** How pictures go through an encoder. */
export interface EmbedPicturesOptions {
  /** Where the encoder is (`cpu`). */
  readonly device?: string | undefined;
  /**
   * Side in pixels of overlapping tiles that are embedded one by one. By default pictures are embedded whole, with
   * positions spread over them, but for encoders that take one size only: that is the size of their tiles.
   */
  readonly tile?: number | undefined;
}

/** Patches that are embedded at once: bounds the memory, not the result. */
const PATCHES_AT_ONCE = 8192;
/** Numbers a channel of a token that a block holds at its peak: queries, keys, values, the MLP inside, and some more. */
const NUMBERS_PER_CHANNEL = 20;
/** Share of the memory that is free which one forward pass may take. */
const MEMORY_SHARE = 0.6;

/**
 * Patch features (N, Y, X, D) of square pictures of one size, on the encoder's device; the caller owns them.
 *
 * Tiles overlap by half or more. Where they do, their features are averaged with weights that fall off to the edges of a
 * tile, so that no seams show. Each tile has the positions of an image of its own.
 *
 * @throws {UsageError} picture or tile do not fit the patch size. @throws {TesseraError} `MEMORY`
 */
export function patchFeatures(
  pictures: readonly Raster[],
  encoder: ImageEncoder,
  options: EmbedPicturesOptions = {},
): Tensor {
  const { device = 'cpu' } = options;
  const size = pictures[0]?.width ?? 0;
  checkSize(size, encoder.patchSize);
  const tile = tileSide(size, encoder, options.tile);
  const tilePatches = (tile / encoder.patchSize) ** 2;
  if (device === 'cpu') checkMemory(tilePatches, encoder.width, size);
  const batch = Math.max(1, Math.floor(PATCHES_AT_ONCE / tilePatches));
  return scope(() =>
    noGrad(() => {
      const parts: Tensor[] = [];
      for (let start = 0; start < pictures.length; start += batch) {
        parts.push(
          scope(() => {
            const pixels = pictures.slice(start, start + batch).map(({ data }) => Tensor.from(data, [size, size, 3]));
            const images_B3YX = normaliseImages(ops.toDevice(ops.stack(pixels), device, 'uint8'));
            return tile === size ? encoder.embed(images_B3YX).patches_BYXD : embedTiles(images_B3YX, encoder, tile);
          }),
        );
      }
      return ops.cat(parts);
    }),
  );
}

/** The side of the tiles, that of the picture where it is embedded whole. */
function tileSide(size: number, encoder: ImageEncoder, asked: number | undefined): number {
  const { patchSize, imageSize } = encoder;
  if (asked !== undefined) checkSize(asked, patchSize);
  if (imageSize !== undefined && asked !== undefined && asked !== imageSize)
    throw new UsageError(
      `Expected tiles of ${imageSize} pixels, the only size that this encoder takes, received ${asked}.`,
    );
  if (imageSize !== undefined && size < imageSize)
    throw new UsageError(
      `Expected images of at least ${imageSize} pixels, the size that this encoder takes, received ${size}.`,
      {
        hint: `Give --size ${imageSize}.`,
      },
    );
  return Math.min(size, asked ?? imageSize ?? size);
}

function embedTiles(images_B3YX: Tensor, encoder: ImageEncoder, tile: number): Tensor {
  const { patchSize, width } = encoder;
  const [batch, , size] = images_B3YX.shape as [number, number, number];
  const [side, inTile] = [size / patchSize, tile / patchSize];
  const starts = tileStarts(side, inTile);
  const zeros = (shape: readonly number[]) => ops.toDevice(ops.zeros(shape), images_B3YX.device, 'float32');
  const sum_BYXD = zeros([batch, side, side, width]);
  const weight_1YX1 = zeros([1, side, side, 1]);
  const tent = tentWeights(inTile, images_B3YX.device);
  const window = (from: Tensor, axis: number, y: number, x: number, scale = 1) =>
    ops.narrow(ops.narrow(from, axis, y * scale, inTile * scale), axis + 1, x * scale, inTile * scale);
  for (const y of starts) {
    for (const x of starts) {
      scope(() => {
        const part_BYXD = encoder.embed(ops.contiguous(window(images_B3YX, 2, y, x, patchSize))).patches_BYXD;
        ops.add_(window(sum_BYXD, 1, y, x), ops.mul(part_BYXD, tent));
        ops.add_(window(weight_1YX1, 1, y, x), tent);
      });
    }
  }
  return ops.div(sum_BYXD, weight_1YX1);
}

/** First patches of tiles of `length` patches that cover `side` patches evenly, overlapping by half or more. */
function tileStarts(side: number, length: number): number[] {
  const steps = Math.ceil((side - length) / Math.max(1, Math.floor(length / 2)));
  return Array.from({ length: steps + 1 }, (_, i) => Math.round((i * (side - length)) / Math.max(1, steps)));
}

/** (1, Y, X, 1): one at the corners, rising by one a patch towards the middle, along both axes. */
function tentWeights(length: number, device: string): Tensor {
  const rise = (at: number) => Math.min(at + 1, length - at);
  const weights = Float32Array.from({ length: length ** 2 }, (_, i) => rise(Math.floor(i / length)) * rise(i % length));
  return ops.toDevice(Tensor.from(weights, [1, length, length, 1]), device, 'float32');
}

function checkMemory(patches: number, width: number, size: number): void {
  const bytes = 4 * NUMBERS_PER_CHANNEL * patches * width;
  const limit = MEMORY_SHARE * process.availableMemory();
  if (bytes <= limit) return;
  throw new TesseraError(
    'MEMORY',
    `An image of ${size} pixels needs about ${byteText(bytes)} at once, ${byteText(limit)} may be used.`,
    { hint: 'Embed it in tiles (--tile 448), or make it smaller (--size).' },
  );
}
