import { PIXEL_LIMIT } from './decode-label-png.js';
import { plainJpegSize } from './jpeg-header.js';
import { type Geometry, type Raster, resampleRgb } from './resample.js';

/** Where the addon for images lies (`native/images`), and the libjpeg-turbo that it opens. */
export interface NativeImages {
  addon: string;
  libjpeg: string | undefined;
}

/** The functions of the addon. */
interface Addon {
  openLibjpeg(path: string): void;
  decodeJpeg(bytes: Uint8Array, output: Uint8Array, width: number, height: number): boolean;
  resample(image: Uint8Array, ...more: (number | boolean | Uint8Array)[]): void;
}

let addon: Addon | undefined;
let hasJpeg = false;

/** Lets this thread decode and resize with the addon from now on; without it, or where it does not load, nothing changes. */
export function useNativeImages(paths: NativeImages | undefined): void {
  if (addon !== undefined || paths === undefined) return;
  try {
    const module = { exports: {} as Addon };
    process.dlopen(module, paths.addon);
    addon = module.exports;
    if (paths.libjpeg === undefined) return;
    addon.openLibjpeg(paths.libjpeg);
    hasJpeg = true;
  } catch {
    // `doctor` tells why. What is missing is done by sharp, or in TypeScript.
  }
}

/** Memory for one picture after another: what was taken before is overwritten. */
export class PictureMemory {
  #bytes = new Uint8Array(0);

  /** Memory with anything in it. */
  take(length: number): Uint8Array {
    if (length > LARGEST_KEPT) return new Uint8Array(length);
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(length);
    return this.#bytes.subarray(0, length);
  }
}

/** Bytes of pictures of 16 million pixels. */
const LARGEST_KEPT = 48e6;

/**
 * Decodes a JPEG file to 8-bit RGB with libjpeg-turbo, to the pixels that sharp and Pillow give. Undefined when there is no
 * such library, or the file is anything but plain and complete: sharp then says what it is, or what it lacks.
 */
export function decodeJpeg(bytes: Uint8Array, memory = new PictureMemory()): Raster | undefined {
  if (addon === undefined || !hasJpeg) return undefined;
  const size = plainJpegSize(bytes);
  if (size === undefined || size.width * size.height > PIXEL_LIMIT) return undefined;
  const data = memory.take(size.width * size.height * 3);
  return addon.decodeJpeg(bytes, data, size.width, size.height) ? { data, ...size } : undefined;
}

/** {@link resampleRgb}, by the addon where this thread has it. */
export function resample(image: Raster, geometry: Geometry, output: Uint8Array): void {
  if (addon === undefined) {
    resampleRgb(image, geometry, output);
    return;
  }
  const { box, width, height, window, flip } = geometry;
  const source = [image.width, image.height, box.left, box.top, box.width, box.height];
  addon.resample(
    image.data,
    ...source,
    width,
    height,
    window.left,
    window.top,
    window.width,
    window.height,
    flip,
    output,
  );
}
