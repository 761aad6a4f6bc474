import { PickleError } from './torch-value.js';

/** Longest description of a file's values that is read, in bytes. */
export const MAX_PICKLE = 64 * 2 ** 20;
/** Longest integer that is read, in bytes: converting longer ones takes quadratic time. */
const MAX_INTEGER = 1024;

/** Walks through a pickle's bytes. Every read throws a {@link PickleError} where the bytes end too early. */
export class PickleCursor {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#position;
  }

  byte(): number {
    return this.#bytes[this.#advance(1)]!;
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#advance(2));
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#advance(4));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  /** A length: values beyond what a file can have are as good as the largest one. */
  uint64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#advance(8)));
  }

  /** Big-endian, unlike everything else. */
  float64(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  bytes(count: number): Uint8Array {
    const start = this.#advance(count);
    return Uint8Array.prototype.slice.call(this.#bytes, start, start + count);
  }

  text(count: number): string {
    const start = this.#advance(count);
    return this.#bytes.toString('utf8', start, start + count);
  }

  /** Text up to the next line feed, which is left out. */
  line(): string {
    const end = this.#bytes.indexOf(10, this.#position);
    if (end < 0) throw truncated(this.#bytes.length);
    const text = this.text(end - this.#position);
    this.#position++;
    return text;
  }

  /** Two's complement of `count` bytes, lowest first: a number where it is exact, otherwise a bigint. */
  integer(count: number): number | bigint {
    if (count > MAX_INTEGER)
      throw new PickleError(`expected integers of up to ${MAX_INTEGER} bytes, received one of ${count}`);
    if (count === 0) return 0;
    const bytes = this.bytes(count).reverse();
    const value = BigInt.asIntN(8 * count, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  #advance(count: number): number {
    const start = this.#position;
    if (count > this.#bytes.length - start) throw truncated(this.#bytes.length);
    this.#position = start + count;
    return start;
  }
}

function truncated(length: number): PickleError {
  return new PickleError(`its pickle of ${length} bytes ends in the middle of a value`);
}
