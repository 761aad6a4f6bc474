// B batch · D width · Y X rows and columns of patches
import { readFile } from 'node:fs/promises';
import { decodeRgb } from '../data/decode.js';
import { resample, useNativeImages } from '../data/native-images.js';
import type { Raster } from '../data/resample.js';
import { type View, viewGeometry } from '../data/views.js';
import { imageLibraries } from '../engine/installation.js';
import type { ImageEncoder } from '../models/encoder.js';
import { type LoadEncoderOptions, loadEncoder as openEncoder } from '../models/load-encoder.js';
import { normalisePixels } from '../models/patches.js';
import { trainedImageSize } from '../recipes/trained-image-size.js';
import { Random } from '../support/random.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope } from '../tensor/tensor.js';

/** An image: the path of a file, or the bytes of a JPEG, PNG, WebP, GIF, TIFF or AVIF file. */
export type ImageInput = string | Uint8Array;

/** What an encoder says of one image. Plain memory: nothing to free. */
export interface ImageFeatures {
  /** One vector for the image, the mean of its patches, scaled to length 1: dot products are cosines. For search. */
  readonly global: Float32Array;
  /** A vector for every patch, row by row: (rows, columns, width). For segmentation and matching of parts. */
  readonly patches: Float32Array;
  readonly rows: number;
  readonly columns: number;
  /** Length of each vector. */
  readonly width: number;
}

export interface EmbedOptions extends LoadEncoderOptions {
  /** Side of the square that images are cut to, in pixels; the training size of a run, else 224, unless given. */
  readonly size?: number;
}

/** A trained encoder, ready for images. Free it with `dispose()` or `using`. */
export class VisionEncoder {
  /** Length of the vectors. */
  readonly width: number;
  /** Side of the square that images are cut to, in pixels. */
  readonly size: number;
  readonly patchSize: number;
  readonly #encoder: ImageEncoder;
  readonly #device: string;

  /** @param size a multiple of the encoder's patch size */
  constructor(encoder: ImageEncoder, size: number, device = 'cpu') {
    this.#encoder = encoder;
    this.#device = device;
    this.width = encoder.width;
    this.patchSize = encoder.patchSize;
    this.size = size;
  }

  /**
   * Features of one image, which is scaled so that its short side fits and cut to the square in its middle.
   * @throws {DataError} or an error of the decoder: the image cannot be read.
   */
  async embed(image: ImageInput): Promise<ImageFeatures> {
    return (await this.embedBatch([image]))[0]!;
  }

  /** Features of several images at once, in their order. */
  async embedBatch(images: readonly ImageInput[]): Promise<ImageFeatures[]> {
    if (images.length === 0) return [];
    const cut = await Promise.all(images.map(async (image) => this.#cut(await decode(image))));
    const pixels = new Uint8Array(cut.length * this.size * this.size * 3);
    for (const [index, square] of cut.entries()) pixels.set(square, index * square.length);
    return scope(() => this.#encode(pixels, cut.length));
  }

  dispose(): void {
    this.#encoder.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #cut(image: Raster): Uint8Array {
    const view: View = { kind: 'resize-centre-crop', resize: this.size, size: this.size };
    const square = new Uint8Array(this.size * this.size * 3);
    // The view takes no random numbers; its signature is that of all views.
    resample(image, viewGeometry(view, image.width, image.height, Random.from(0)), square);
    return square;
  }

  #encode(pixels: Uint8Array, count: number): ImageFeatures[] {
    return noGrad(() => {
      const images_B3YX = normalisePixels(pixels, [count, this.size, this.size], this.#device);
      const { patches_BYXD } = this.#encoder.embed(images_B3YX);
      const mean_BD = ops.meanDim(patches_BYXD, [1, 2]);
      const unit_BD = ops.div(mean_BD, ops.clampMin(ops.norm(mean_BD, 2, [-1], true), 1e-12));
      const [, rows, columns, width] = patches_BYXD.shape as [number, number, number, number];
      return Array.from({ length: count }, (_, index) => ({
        global: ops.select(unit_BD, 0, index).data() as Float32Array,
        patches: ops.select(patches_BYXD, 0, index).data() as Float32Array,
        rows,
        columns,
        width,
      }));
    });
  }
}

/**
 * Opens an encoder: a run folder (its latest checkpoint), a checkpoint folder, a weights file in a published layout, or
 * `random:<preset>` for an untrained one.
 * @throws {EngineError} the engine is not set up. @throws {UsageError | CheckpointError} the weights cannot be used.
 *
 * @example
 * using encoder = await loadEncoder('runs/first');
 * const { global, patches } = await encoder.embed('photo.jpg');
 */
export async function loadEncoder(model: string, options: EmbedOptions = {}): Promise<VisionEncoder> {
  const encoder = await openEncoder(model, options);
  useNativeImages(imageLibraries());
  const published = Math.round(224 / encoder.patchSize) * encoder.patchSize;
  return new VisionEncoder(
    encoder,
    options.size ?? trainedImageSize(model) ?? encoder.imageSize ?? published,
    options.device,
  );
}

async function decode(image: ImageInput): Promise<Raster> {
  return decodeRgb(typeof image === 'string' ? await readFile(image) : image);
}
