import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type sharpModule from 'sharp';
import { DataError } from '../support/errors.js';
import type { ImageSource, LabelSource } from './dataset.js';
import { PIXEL_LIMIT, readLabelPng } from './decode-label-png.js';
import { readParquetCell } from './decode-parquet.js';
import { decodeJpeg, type PictureMemory } from './native-images.js';
import type { Raster } from './resample.js';
import { cachedScene } from './scenes/scene-cache.js';

/** What {@link PIXEL_LIMIT} is for formats that are not decoded row by row: 16,000 x 16,000 pixels of AVIF fit into 3 kB and take 4 GB. */
const WHOLE_LIMIT = 0x1fff * 0x1fff;
/** WebP, GIF, and the containers of AVIF. */
const WHOLE = /^(RIFF....WEBP|GIF8|....ftyp)/s;

/** Opened by the first image that needs it: most threads meet plain JPEGs only, and it takes its time to load. */
let opened: typeof sharpModule | undefined;

async function openSharp(): Promise<typeof sharpModule> {
  if (opened !== undefined) return opened;
  const { default: sharp } = await import('sharp');
  // One image at a time per worker: the workers are the parallelism, and every image is seen once per epoch.
  sharp.concurrency(1);
  sharp.cache(false);
  // Only photos: a drawing or a table with the name of one is nothing to run a renderer on. These are all of libvips' other
  // loaders by name, since this holds for all threads at once: blocking everything and allowing some again would, for a
  // moment, refuse the photos of those that decode already.
  sharp.block({
    operation: [
      ...['Analyze', 'Csv', 'DcRaw', 'Fits', 'Jp2k', 'Jxl', 'Magick', 'Magick7', 'Mat', 'Matrix', 'Nifti', 'Openexr'],
      ...['Openslide', 'OpenSlide', 'Pdf', 'Ppm', 'Rad', 'Raw', 'Svg', 'Uhdr', 'Vips'],
    ].map((format) => `VipsForeignLoad${format}`),
  });
  opened = sharp;
  return opened;
}

/**
 * Decodes one image to 8-bit RGB.
 *
 * @param memory may hold the pixels; those of the image before are then gone
 * @throws {DataError} the image cannot be read; the message is fit to be shown.
 */
export async function decodeImage(source: ImageSource, memory?: PictureMemory): Promise<Raster> {
  if (source.kind === 'scene') return { data: cachedScene(source).rgb, width: source.size, height: source.size };
  return decodeRgb(await readBytes(source), memory);
}

/**
 * Decodes the bytes of a JPEG, PNG, WebP, GIF, TIFF or AVIF file to 8-bit RGB, upright.
 *
 * As Pillow's `convert('RGB')`: an alpha channel is dropped, not composited; embedded RGB profiles are ignored; of an
 * animation the first frame counts. Unlike Pillow: EXIF orientation is applied, 16-bit values are scaled to 8 bits, and CMYK
 * is converted as a printing press would show it.
 *
 * @throws {DataError} the image is truncated, broken, oversized or of another format.
 */
export async function decodeRgb(bytes: Uint8Array, memory?: PictureMemory): Promise<Raster> {
  if (bytes.length === 0) throw new DataError('the file is empty');
  return decodeJpeg(bytes, memory) ?? decodeBySharp(bytes);
}

async function decodeBySharp(bytes: Uint8Array): Promise<Raster> {
  for (let tries = 1; ; tries++) {
    try {
      return await decodeOnce(bytes);
    } catch (cause) {
      const reason = lastLine(cause);
      if (reason !== UNKNOWN) throw new DataError(reason, { cause });
      if (tries === 5) throw new DataError('it is damaged', { cause });
    }
  }
}

/** What libvips says where another thread took its text away, and of a few damages. */
const UNKNOWN = 'Unknown error';

/**
 * What an image lacks. libvips has one error text for all threads: of images that fail at once, the text has the reasons
 * of all, the own one mostly last.
 */
function lastLine(error: unknown): string {
  const lines = (error as Error).message.trim().split('\n');
  return lines
    .at(-1)!
    .replace(/^Input buffer has corrupt header: /, '')
    .replace(/^\w+: /, '');
}

async function decodeOnce(bytes: Uint8Array): Promise<Raster> {
  const start = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  const sharp = await openSharp();
  const { data, info } = await sharp(bytes, {
    failOn: 'truncated',
    ignoreIcc: true,
    limitInputPixels: WHOLE.test(start) ? WHOLE_LIMIT : PIXEL_LIMIT,
  })
    .autoOrient()
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new DataError(`expected 3 channels after conversion to RGB, got ${info.channels}`);
  return { data, width: info.width, height: info.height };
}

/** Reads a map of class ids, one byte per pixel. @throws DataError when it cannot be read. */
export function decodeLabels(source: LabelSource): Raster {
  if (source.kind === 'scene') return { data: cachedScene(source).pixels, width: source.size, height: source.size };
  return readLabelPng(readFileSync(source.path));
}

async function readBytes(source: Exclude<ImageSource, { kind: 'scene' }>): Promise<Uint8Array> {
  switch (source.kind) {
    case 'file':
      return readFileSync(source.path);
    case 'range':
      return readRange(source.path, source.offset, source.length);
    case 'parquet':
      return readParquetCell(source);
  }
}

/** Bytes [offset, offset + length) of a file. @throws DataError when the file ends earlier. */
export function readRange(path: string, offset: number, length: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const count = readSync(file, bytes, done, length - done, offset + done);
      if (count === 0) throw new DataError(`${path} ends ${length - done} bytes early: it is truncated`);
      done += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}
