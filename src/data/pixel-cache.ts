import { totalmem } from 'node:os';
import { byteText } from '../support/byte-text.js';
import { DataError } from '../support/errors.js';

/** Decoded 8-bit RGB, row by row, in memory that all threads see. Never written to again. */
export interface SharedRaster {
  pixels: SharedArrayBuffer;
  width: number;
  height: number;
}

/** Share of the machine's memory that decoded images may take. */
const MEMORY_SHARE = 0.5;
/** Images after which their mean size tells that of the set, within the factor {@link DOUBT}. */
const SURE_AFTER = 200;
const DOUBT = 1.5;

/** The decoded images of a data set, each kept from its first use on. */
export class PixelCache {
  /** Most bytes of pixels; by default half of the memory of the machine, or of the container. */
  readonly limit: number;
  readonly #images: number;
  readonly #kept = new Map<number, SharedRaster>();
  #bytes = 0;

  /** @param images of the data set */
  constructor(images: number, limit = MEMORY_SHARE * Math.min(totalmem(), process.constrainedMemory() || Infinity)) {
    this.#images = images;
    this.limit = limit;
  }

  /** Images that are kept. */
  get size(): number {
    return this.#kept.size;
  }

  /** Bytes that they take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What the whole set takes if its other images are like those kept; 0 while none is. */
  get expectedBytes(): number {
    return this.size === 0 ? 0 : (this.#bytes / this.size) * this.#images;
  }

  /** The image at an index of the data set, once it was decoded. */
  get(index: number): SharedRaster | undefined {
    return this.#kept.get(index);
  }

  /**
   * Keeps an image. Two batches on the way may have decoded the same one: the first stays.
   * @throws {DataError} the set is too large, or surely will be.
   */
  keep(index: number, image: SharedRaster): void {
    if (this.#kept.has(index)) return;
    this.#kept.set(index, image);
    this.#bytes += image.pixels.byteLength;
    const surely = this.size >= SURE_AFTER ? this.expectedBytes / DOUBT : 0;
    if (Math.max(this.#bytes, surely) <= this.limit) return;
    throw new DataError(
      `Expected decoded images of at most ${byteText(this.limit)}, which is what may be kept of this machine’s memory; ` +
        `${this.size} of ${this.#images} images take ${byteText(this.#bytes)}, all of them about ${byteText(this.expectedBytes)}.`,
      { hint: 'Use data.cache=none, fewer images, or smaller ones: crops of a small size need no large images.' },
    );
  }
}
