import { constants } from 'node:buffer';
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import * as yauzl from 'yauzl';
import { type Entry, RandomAccessReader, type ZipFile } from 'yauzl';
import { readFully } from '../../support/read-file.js';
import { type DType, dtypeBytes } from '../../tensor/dtype.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { PickleError, type StorageSource, type StoredNumbers, storedNumbers } from './torch-value.js';

/** Records of an archive: enough for every tensor and optimiser moment of a huge model. */
const MAX_RECORDS = 50_000;

/** What yauzl 3 has beyond the published types. */
interface Zip extends ZipFile {
  eachEntry(): AsyncIterable<Entry>;
  readLocalFileHeaderPromise(entry: Entry, options: { minimal: true }): Promise<{ fileDataStart: number }>;
}

interface Place {
  /** Of the record's header. */
  readonly start: number;
  readonly offset: number;
  readonly bytes: number;
  readonly crc: number;
}

/** How much of a record is looked at at once. */
const CHUNK = 2 ** 20;

/**
 * The format since PyTorch 1.6: a ZIP archive of uncompressed records. Storages are used where they lie: their memory is
 * the file's. The descriptor stays the caller's; dispose of the rest.
 */
export class TorchArchive implements StorageSource {
  #mapped_B: Tensor | undefined;

  private constructor(
    private readonly path: string,
    private readonly file: number,
    readonly size: number,
    private readonly records: ReadonlyMap<string, Place>,
  ) {}

  /** Lists the records of a file. @throws {PickleError} it is damaged. */
  static async open(path: string, file: number, size: number): Promise<TorchArchive> {
    return new TorchArchive(path, file, size, await listRecords(file, size));
  }

  has(name: string): boolean {
    return this.records.has(name);
  }

  storage(key: string, dtype: DType, count: number): StoredNumbers {
    const name = `data/${key}`;
    const { offset, bytes, crc } = this.#place(name);
    const [size, expected] = [dtypeBytes(dtype), count * dtypeBytes(dtype)];
    if (bytes !== expected) throw new PickleError(`expected ${expected} bytes in the record ${name}, found ${bytes}`);
    // PyTorch aligns storages; others need not, and processors then want a copy.
    if (bytes === 0 || offset % size !== 0) return storedNumbers(this.read(name), dtype, count);
    let sum = 0;
    const chunk = Buffer.alloc(Math.min(CHUNK, bytes));
    for (let done = 0; crc !== 0 && done < bytes; done += CHUNK) {
      const part = chunk.subarray(0, Math.min(CHUNK, bytes - done));
      this.#fill(name, part, offset + done);
      sum = crc32(part, sum);
    }
    if (sum !== crc) throw damaged(name);
    this.#mapped_B ??= ops.fromFile(this.path, false, this.size, 'uint8').retain();
    const mapped_B = this.#mapped_B;
    const flat = scope(() => ops.viewDtype(ops.narrow(mapped_B, 0, offset, bytes), dtype));
    return { flat, start: offset / size };
  }

  /** The bytes of a record. @throws {PickleError} it is missing or damaged. */
  read(name: string): Buffer {
    const { bytes: size, offset, crc } = this.#place(name);
    if (size > constants.MAX_LENGTH)
      throw new PickleError(`its record ${name} of ${size} bytes is too large for this Node`);
    const bytes = Buffer.from(new ArrayBuffer(size));
    this.#fill(name, bytes, offset);
    // Zero stands for none: torch.serialization.set_crc32_options(False).
    if (crc !== 0 && crc32(bytes) !== crc) throw damaged(name);
    return bytes;
  }

  /** Gives up the memory of the file; tensors keep it while they live. */
  dispose(): void {
    this.#mapped_B?.dispose();
  }

  #place(name: string): Place {
    const place = this.records.get(name);
    if (place === undefined) throw new PickleError(`expected a record ${name}, found none`);
    return place;
  }

  #fill(name: string, bytes: Uint8Array, offset: number): void {
    if (readFully(this.file, bytes, offset) < bytes.length) throw new PickleError(`it ends within ${name}`);
  }
}

function damaged(name: string): PickleError {
  return new PickleError(`its record ${name} is damaged: the checksum differs`);
}

/** Reads for yauzl. Its own reader leaves the process with an exception where a hostile archive asks for a place beyond 2^53. */
class BoundedReader extends RandomAccessReader {
  constructor(
    private readonly file: number,
    private readonly size: number,
  ) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null, count?: number) => void,
  ): void {
    const inside = Number.isSafeInteger(position) && position >= 0 && position + length <= this.size;
    if (inside) done(null, readSync(this.file, buffer, offset, length, position));
    else done(new Error('it points beyond its end'));
  }
}

async function listRecords(file: number, size: number): Promise<Map<string, Place>> {
  try {
    const zip = await openZip(new BoundedReader(file, size), size);
    if (zip.entryCount > MAX_RECORDS)
      throw new PickleError(`it has ${zip.entryCount} records, expected up to ${MAX_RECORDS}`);
    const records = new Map<string, Place>();
    for await (const entry of zip.eachEntry()) {
      const { fileName: name, relativeOffsetOfLocalHeader: start, uncompressedSize: bytes, crc32: crc } = entry;
      if (entry.compressionMethod !== 0 || entry.isEncrypted())
        throw new PickleError(`its record ${name} is compressed, which torch.save never does`);
      if (records.has(name)) throw new PickleError(`it has two records named ${name}`);
      const { fileDataStart: offset } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      records.set(name, { start, offset, bytes, crc });
    }
    checkPlaces(records, size);
    return withoutFolder(records);
  } catch (error) {
    throw error instanceof PickleError
      ? error
      : new PickleError(`its list of records is damaged or truncated (${(error as Error).message})`);
  }
}

/** Records that share bytes would let a small file fill the memory. */
function checkPlaces(records: ReadonlyMap<string, Place>, size: number): void {
  let [before, end] = ['', 0];
  for (const [name, place] of [...records].sort(([, a], [, b]) => a.start - b.start)) {
    if (place.start < end) throw new PickleError(`its records ${before} and ${name} overlap`);
    [before, end] = [name, place.offset + place.bytes];
    if (end > size) throw new PickleError(`its record ${name} claims to end at byte ${end} of ${size}`);
  }
}

function openZip(reader: RandomAccessReader, size: number): Promise<Zip> {
  return new Promise((resolve, reject) => {
    yauzl.fromRandomAccessReader(reader, size, { lazyEntries: true, autoClose: false }, (error, zip) => {
      if (error) reject(error);
      else resolve(zip as Zip);
    });
  });
}

/** All records lie in one folder, named after the file as it was saved. */
function withoutFolder(records: ReadonlyMap<string, Place>): Map<string, Place> {
  const pickle = [...records.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) {
    throw new PickleError(
      `expected a record data.pkl, found ${[...records.keys()].slice(0, 5).join(', ') || 'no record'}`,
    );
  }
  const folder = pickle.slice(0, -'data.pkl'.length);
  return new Map(
    [...records].filter(([name]) => name.startsWith(folder)).map(([name, place]) => [name.slice(folder.length), place]),
  );
}
