import { constants } from 'node:buffer';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import * as yauzl from 'yauzl';
import { type Entry, RandomAccessReader, type ZipFile } from 'yauzl';
import { CheckpointError } from '../../support/errors.js';
import { PickleError } from './torch-value.js';

/** Records of an archive: enough for every tensor and optimiser moment of a huge model. */
const MAX_RECORDS = 200_000;
/** One call of the system reads at most 2^31 - 1 bytes. */
const CHUNK = 2 ** 30;

/** What yauzl 3 has beyond the published types. */
interface Zip extends ZipFile {
  eachEntry(): AsyncIterable<Entry>;
  readLocalFileHeaderPromise(entry: Entry, options: { minimal: true }): Promise<{ fileDataStart: number }>;
}

interface Place {
  readonly offset: number;
  readonly bytes: number;
  readonly crc: number;
}

/** A PyTorch file: a ZIP archive of uncompressed records. Close it after use. */
export class TorchArchive {
  readonly #file: number;
  readonly #records: ReadonlyMap<string, Place>;
  /** Bytes of the whole file; all records together are no larger. */
  readonly size: number;

  private constructor(file: number, size: number, records: ReadonlyMap<string, Place>) {
    this.#file = file;
    this.size = size;
    this.#records = records;
  }

  /**
   * Opens a file and lists its records.
   * @throws {CheckpointError} there is none, or it is of another kind.
   * @throws {PickleError} it is damaged.
   */
  static async open(path: string): Promise<TorchArchive> {
    let file: number;
    try {
      file = openSync(path, 'r');
    } catch (cause) {
      throw new CheckpointError(`Expected a PyTorch file at ${path}: ${(cause as Error).message}.`, { cause });
    }
    try {
      const { size } = fstatSync(file);
      checkKind(file, size, path);
      return new TorchArchive(file, size, await listRecords(file, size));
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  has(name: string): boolean {
    return this.#records.has(name);
  }

  /** The bytes of a record. @throws {PickleError} it is missing, longer or shorter than expected, or damaged. */
  read(name: string, expectedBytes?: number): Buffer {
    const place = this.#records.get(name);
    if (place === undefined) throw new PickleError(`expected a record ${name}, found none`);
    if (expectedBytes !== undefined && place.bytes !== expectedBytes) {
      throw new PickleError(`expected ${expectedBytes} bytes in the record ${name}, found ${place.bytes}`);
    }
    if (place.bytes > constants.MAX_LENGTH)
      throw new PickleError(`its record ${name} of ${place.bytes} bytes is too large for this Node`);
    const bytes = Buffer.from(new ArrayBuffer(place.bytes));
    readFully(this.#file, bytes, place.offset);
    if (crc32(bytes) !== place.crc) {
      throw new PickleError(`its record ${name} is damaged: the checksum differs`);
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#file);
  }
}

function checkKind(file: number, size: number, path: string): void {
  const start = Buffer.alloc(Math.min(4, size));
  readFully(file, start, 0);
  if (start.equals(Buffer.from('PK\x03\x04', 'latin1'))) return;
  if (start[0] === 0x80) {
    throw new CheckpointError(
      `${path} is a PyTorch file in the format before PyTorch 1.6, which is not read yet: expected a ZIP archive.`,
      {
        hint: 'Save it again in Python: torch.save(torch.load(path), path).',
      },
    );
  }
  throw new CheckpointError(
    `Expected a PyTorch file (a ZIP archive) at ${path}, received ${size === 0 ? 'an empty file' : `one that begins with the bytes ${start.toString('hex')}`}.`,
    {
      hint: 'Give a .pth, .pt or .th file; download it again if it should be one.',
    },
  );
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
    let total = 0;
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileName;
      if (entry.compressionMethod !== 0 || entry.isEncrypted())
        throw new PickleError(`its record ${name} is compressed, which torch.save never does`);
      if (records.has(name)) throw new PickleError(`it has two records named ${name}`);
      total += entry.uncompressedSize;
      // Records that share bytes would let a small file fill the memory.
      if (total > size) throw new PickleError(`its records claim more than the ${size} bytes that it has`);
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      records.set(name, { offset: fileDataStart, bytes: entry.uncompressedSize, crc: entry.crc32 });
    }
    return withoutFolder(records);
  } catch (error) {
    throw error instanceof PickleError
      ? error
      : new PickleError(`its list of records is damaged or truncated (${(error as Error).message})`);
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

function readFully(file: number, target: Uint8Array, position: number): void {
  for (let done = 0; done < target.length; ) {
    const count = readSync(file, target, done, Math.min(CHUNK, target.length - done), position + done);
    if (count === 0) throw new PickleError(`it ends at byte ${position + done}`);
    done += count;
  }
}
