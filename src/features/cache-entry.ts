import { closeSync, fstatSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { storageError } from '../support/atomic-file.js';
import { readFully } from '../support/read-file.js';
import { type DType, safetensorsName } from '../tensor/dtype.js';
import { readSafetensors, readSafetensorsIndex } from '../tensor/safetensors.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import type { PartBuffer } from './part-buffers.js';

/** Bytes before the data: length and header, which is written last and padded with spaces. */
const DATA_START = 4096;
/** Bytes that are checked at once. */
const CHUNK = 4 * 2 ** 20;

/** What the cache keeps of one part of a data set: rows, and which images they are of. */
export interface CacheEntry {
  /** Mapped from the file: memory is taken as rows are looked at, and given back under pressure. The caller's. */
  readonly tensor: Tensor;
  /** (N) indices into the data set. */
  readonly indices: Int32Array;
}

/**
 * Writes an entry row by row under a temporary name; under its own name there is only ever a complete one. The file is a
 * safetensors file with `rows` and `indices`; its metadata has the key and a CRC-32 of the data.
 */
export class EntryWriter implements PartBuffer {
  readonly #path: string;
  readonly #partial: string;
  readonly #key: string;
  #file: number | undefined;
  #crc = 0;
  #bytes = 0;
  #rowShape: readonly number[] = [];
  #dtype: DType = 'float32';
  #indices: Int32Array = new Int32Array();

  /** @throws {TesseraError} `STORAGE` */
  constructor(path: string, key: string) {
    this.#path = path;
    this.#partial = `${path}.partial-${process.pid}`;
    this.#key = key;
    this.#try(() => {
      this.#file = openSync(this.#partial, 'w');
      this.#write(new Uint8Array(DATA_START), false);
    });
  }

  append(rows: Tensor): void {
    this.#rowShape = rows.shape.slice(1);
    this.#dtype = rows.dtype;
    const data = rows.data();
    this.#try(() => this.#write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), true));
  }

  /** Which images the rows are of; before `finish`. */
  set indices(indices: Int32Array) {
    this.#indices = indices;
  }

  finish(): Tensor {
    this.#try(() => {
      const rows = this.#bytes;
      const indices = this.#indices;
      this.#write(new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength), true);
      this.#writeHeader(rows);
      fsyncSync(this.#file!);
      closeSync(this.#file!);
      this.#file = undefined;
      renameSync(this.#partial, this.#path);
    });
    return scope(() => readSafetensors(this.#path).get('rows')!);
  }

  dispose(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    rmSync(this.#partial, { force: true });
  }

  #writeHeader(rowBytes: number): void {
    const count = this.#indices.length;
    const header = {
      __metadata__: { format: 'pt', key: this.#key, crc32: String(this.#crc) },
      rows: { dtype: safetensorsName(this.#dtype), shape: [count, ...this.#rowShape], data_offsets: [0, rowBytes] },
      indices: { dtype: 'I32', shape: [count], data_offsets: [rowBytes, this.#bytes] },
    };
    const start = Buffer.alloc(DATA_START, ' ');
    start.writeBigUInt64LE(BigInt(DATA_START - 8));
    start.write(JSON.stringify(header), 8);
    writeSync(this.#file!, start, 0, DATA_START, 0);
  }

  #write(bytes: Uint8Array, data: boolean): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#file!, bytes, done);
    if (!data) return;
    this.#bytes += bytes.length;
    this.#crc = crc32(bytes, this.#crc);
  }

  #try(write: () => void): void {
    try {
      write();
    } catch (cause) {
      this.dispose();
      throw storageError(cause, this.#path);
    }
  }
}

/** An entry that is complete and undamaged, or undefined. */
export function openEntry(path: string, key: string): CacheEntry | undefined {
  try {
    const { entries, metadata } = readSafetensorsIndex(path);
    const rows = entries.get('rows')!;
    const indices = entries.get('indices')!;
    if (metadata.key !== key || rows.shape[0] !== indices.shape[0] || rows.offset !== DATA_START) return undefined;
    if (String(dataChecksum(path)) !== metadata.crc32) return undefined;
    return scope(() => {
      const tensors = readSafetensors(path);
      return { tensor: tensors.get('rows')!, indices: tensors.get('indices')!.data() as Int32Array };
    });
  } catch {
    // Missing, half-written, of another version or damaged: all mean that it has to be made.
    return undefined;
  }
}

function dataChecksum(path: string): number {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const chunk = new Uint8Array(CHUNK);
    let crc = 0;
    for (let at = DATA_START; at < size; at += CHUNK) {
      const count = readFully(file, chunk, at);
      crc = crc32(count === CHUNK ? chunk : chunk.subarray(0, count), crc);
    }
    return crc;
  } finally {
    closeSync(file);
  }
}
