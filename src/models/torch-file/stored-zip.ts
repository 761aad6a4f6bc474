import { writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** From here on, sizes and offsets need the 64-bit records of the format. */
const LIMIT = 0xffffffff;
const DATE_1980 = 0x21;
const CHUNK = 2 ** 30;

/**
 * Writes a ZIP archive of uncompressed entries whose data begins at multiples of 64 bytes, as PyTorch's own writer does it
 * (caffe2/serialize/inline_container.cc), so that the file can be mapped into memory. No package that we found aligns
 * entries. Archives may exceed 4 GiB, single entries may not.
 */
export class StoredZipWriter {
  #offset = 0;
  readonly #directory: Buffer[] = [];

  /** @param file an open descriptor at the beginning of an empty file, which the caller closes. */
  constructor(private readonly file: number) {}

  /** Appends an entry of less than 4 GiB; `name` is ASCII. */
  add(name: string, data: Uint8Array): void {
    const entry = { name: Buffer.from(name, 'ascii'), crc: crc32(data), size: data.length };
    const offset = this.#offset;
    // An extra field named FB pads the header; its own head has 4 bytes.
    const padding = (64 - ((offset + 30 + entry.name.length + 4) % 64)) % 64;
    const extra = Buffer.alloc(4 + padding, 'Z');
    extra.write('FB', 'ascii');
    extra.writeUInt16LE(padding, 2);
    const header = Buffer.concat([numbers([4, 0x04034b50], [2, 20]), describe(entry), numbers([2, extra.length])]);
    this.#write(Buffer.concat([header, entry.name, extra]));
    this.#write(data);

    const far = offset >= LIMIT;
    const far64 = far ? numbers([2, 1], [2, 8], [8, offset]) : Buffer.alloc(0);
    const head = numbers([4, 0x02014b50], [2, 45], [2, far ? 45 : 20]);
    // Comment, disk and attributes are empty.
    const tail = numbers([2, far64.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, Math.min(offset, LIMIT)]);
    this.#directory.push(Buffer.concat([head, describe(entry), tail, entry.name, far64]));
  }

  /** Writes the list of entries. */
  finish(): void {
    const start = this.#offset;
    const count = this.#directory.length;
    for (const entry of this.#directory) this.#write(entry);
    const bytes = this.#offset - start;
    if (start >= LIMIT || count >= 0xffff) {
      const end64 = this.#offset;
      this.#write(
        numbers(
          [4, 0x06064b50],
          [8, 44],
          [2, 45],
          [2, 45],
          [4, 0],
          [4, 0],
          [8, count],
          [8, count],
          [8, bytes],
          [8, start],
        ),
      );
      this.#write(numbers([4, 0x07064b50], [4, 0], [8, end64], [4, 1]));
    }
    const shown = Math.min(count, 0xffff);
    this.#write(
      numbers([4, 0x06054b50], [2, 0], [2, 0], [2, shown], [2, shown], [4, bytes], [4, Math.min(start, LIMIT)], [2, 0]),
    );
  }

  #write(data: Uint8Array): void {
    for (let done = 0; done < data.length; )
      done += writeSync(this.file, data, done, Math.min(CHUNK, data.length - done));
    this.#offset += data.length;
  }
}

/** What the header of an entry and its line in the directory share, from the flags to the length of the name. */
function describe(entry: { name: Buffer; crc: number; size: number }): Buffer {
  const { name, crc, size } = entry;
  return numbers([2, 0], [2, 0], [2, 0], [2, DATE_1980], [4, crc], [4, size], [4, size], [2, name.length]);
}

/** Unsigned little-endian numbers, each with its width in bytes. */
function numbers(...fields: readonly (readonly [width: 2 | 4 | 8, value: number])[]): Buffer {
  return Buffer.concat(
    fields.map(([width, value]) => {
      const buffer = Buffer.alloc(width);
      if (width === 8) buffer.writeBigUInt64LE(BigInt(value));
      else buffer.writeUIntLE(value, 0, width);
      return buffer;
    }),
  );
}
