import { inflateSync } from 'node:zlib';
import { DataError } from '../support/errors.js';
import type { Raster } from './resample.js';

/** Pixels from which an image counts as a decompression bomb: 2^28 - 2^15 + 1, about 268 million. */
export const PIXEL_LIMIT = 0x3fff * 0x3fff;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

interface PngHeader {
  width: number;
  height: number;
  bits: number;
}

/**
 * Reads a PNG of class ids: grey values or palette indices as they are stored, one byte per pixel. Image libraries cannot
 * be used for this, since they turn palette indices into colours and stretch grey values of less than 8 bits.
 *
 * Source: PNG specification (ISO/IEC 15948), sections 5, 7 and 9.
 * @throws DataError for anything but a non-interlaced grey or palette PNG of at most 8 bits.
 */
export function readLabelPng(bytes: Buffer): Raster {
  if (bytes.length < 33 || !bytes.subarray(0, 8).equals(SIGNATURE)) {
    throw new DataError('a label map must be a PNG file, and this is none');
  }
  const header = readHeader(bytes);
  const rowBytes = Math.ceil((header.width * header.bits) / 8);
  const parts: Buffer[] = [];
  for (let at = 8; at + 8 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') {
      parts.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)));
    }
  }
  const rows = inflate(Buffer.concat(parts), (rowBytes + 1) * header.height);
  if (rows.length < (rowBytes + 1) * header.height) throw new DataError('the label map is truncated');
  return { data: unpack(unfilter(rows, rowBytes, header.height), rowBytes, header), ...sizeOf(header) };
}

const sizeOf = ({ width, height }: PngHeader) => ({ width, height });

function readHeader(bytes: Buffer): PngHeader {
  const [bits, colour, interlaced] = [bytes[24]!, bytes[25]!, bytes[28]!];
  const kinds: Record<number, string> = { 2: 'RGB', 4: 'grey with alpha', 6: 'RGB with alpha' };
  const kind = kinds[colour];
  if (kind !== undefined || bits > 8) {
    throw new DataError(
      `a label map must be a grey or palette PNG of at most 8 bits, this one is ${kind ?? 'grey'}, ${bits} bits`,
    );
  }
  if (interlaced !== 0) throw new DataError('a label map must not be interlaced; save it again without interlacing');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  if (![1, 2, 4, 8].includes(bits) || width === 0 || height === 0 || width * height > PIXEL_LIMIT)
    throw new DataError(`the label map is damaged or too large: ${width} x ${height} pixels of ${bits} bits`);
  return { width, height, bits };
}

/** @param most bytes; what comes after them is nothing of the map */
function inflate(bytes: Buffer, most: number): Buffer {
  try {
    return inflateSync(bytes, { maxOutputLength: most });
  } catch (cause) {
    throw new DataError('the label map is truncated or damaged', { cause });
  }
}

/** Undoes the row filters; all of these maps have at most one byte per pixel, so "left" is one byte back. */
function unfilter(rows: Buffer, rowBytes: number, height: number): Uint8Array {
  const result = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (rowBytes + 1)]!;
    for (let x = 0; x < rowBytes; x++) {
      const at = y * rowBytes + x;
      const left = x > 0 ? result[at - 1]! : 0;
      const up = y > 0 ? result[at - rowBytes]! : 0;
      const corner = x > 0 && y > 0 ? result[at - rowBytes - 1]! : 0;
      result[at] = rows[y * (rowBytes + 1) + 1 + x]! + predicted(filter, left, up, corner);
    }
  }
  return result;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
      return a <= b && a <= c ? left : b <= c ? up : corner;
    }
    default:
      throw new DataError(`the label map is damaged: PNG row filter ${filter} does not exist`);
  }
}

/** Spreads pixels of 1, 2 or 4 bits to one byte each. */
function unpack(packed: Uint8Array, rowBytes: number, { width, height, bits }: PngHeader): Uint8Array {
  if (bits === 8) return packed;
  const result = new Uint8Array(width * height);
  const mask = (1 << bits) - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * bits;
      result[y * width + x] = (packed[y * rowBytes + (bit >> 3)]! >> (8 - bits - (bit & 7))) & mask;
    }
  }
  return result;
}
