import { readFully } from '../../support/read-file.js';
import { type DType, dtypeBytes } from '../../tensor/dtype.js';
import { MAX_PICKLE, PickleCursor } from './pickle-cursor.js';
import { readStorage } from './rebuild-tensors.js';
import {
  PickleError,
  type StorageSource,
  type StoredNumbers,
  storedNumbers,
  TorchStorage,
  type TorchValue,
} from './torch-value.js';
import { type PickleMeaning, unpickle } from './unpickle.js';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;
/** A storage begins with its number of elements. */
const COUNT_BYTES = 8;

interface Place {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The format before PyTorch 1.6: five pickles one after another (magic number, version, facts about the machine, the
 * value, the keys of the storages), then the storages in the order of these keys, little-endian, each after its number of
 * elements. Source: torch/serialization.py `_legacy_save`, `_legacy_load`. The descriptor stays the caller's.
 */
export class LegacyFile implements StorageSource {
  private constructor(
    private readonly file: number,
    readonly size: number,
    /** What the file holds, to be read with its storages. */
    readonly pickle: Uint8Array,
    private readonly places: ReadonlyMap<string, Place>,
  ) {}

  /** Finds the storages of a file. @throws {PickleError} it is damaged. */
  static open(file: number, size: number): LegacyFile {
    const bytes = Buffer.alloc(Math.min(size, MAX_PICKLE));
    readFully(file, bytes, 0);
    const cursor = new PickleCursor(bytes);
    if (unpickle(cursor, plain) !== MAGIC) throw new PickleError('it does not begin as files of torch.save do');
    if (unpickle(cursor, plain) !== VERSION) throw new PickleError(`expected version ${VERSION} of the old format`);
    unpickle(cursor, plain);
    const start = cursor.position;
    // The storages lie behind the value: it is read once to learn what they are, and once more with them.
    const storages = new Map<string, TorchStorage>();
    const persistent = (id: TorchValue) => {
      const storage = readStorage(id);
      if (storage instanceof TorchStorage) storages.set(storage.key, sameAs(storage, storages.get(storage.key)));
      return storage;
    };
    unpickle(cursor, { reducers: new Map(), persistent });
    const keys = unpickle(cursor, plain);
    const places = new Map<string, Place>();
    let offset = cursor.position;
    for (const key of Array.isArray(keys) ? keys : []) {
      const storage = typeof key === 'string' ? storages.get(key) : undefined;
      if (storage === undefined) throw new PickleError('it has a storage that no tensor uses');
      const count = Buffer.alloc(COUNT_BYTES);
      readFully(file, count, offset);
      if (count.readBigInt64LE() !== BigInt(storage.count))
        throw new PickleError(
          `expected ${storage.count} elements in the storage ${storage.key}, found ${count.readBigInt64LE()}`,
        );
      places.set(storage.key, { offset: offset + COUNT_BYTES, bytes: storage.bytes });
      offset += COUNT_BYTES + storage.bytes;
      if (offset > size) throw new PickleError(`its storage ${storage.key} claims to end at byte ${offset} of ${size}`);
    }
    return new LegacyFile(file, size, bytes.subarray(start), places);
  }

  storage(key: string, dtype: DType, count: number): StoredNumbers {
    const bytes = count * dtypeBytes(dtype);
    const place = this.places.get(key);
    if (place?.bytes !== bytes) throw new PickleError(`expected a storage ${key} of ${bytes} bytes, found none`);
    const data = Buffer.from(new ArrayBuffer(bytes));
    if (readFully(this.file, data, place.offset) < bytes) throw new PickleError(`it ends within the storage ${key}`);
    return storedNumbers(data, dtype, count);
  }
}

/** For pickles without tensors. */
const plain: PickleMeaning = {
  reducers: new Map(),
  persistent: () => {
    throw new PickleError('it has a storage where there can be none');
  },
};

function sameAs(storage: TorchStorage, known: TorchStorage | undefined): TorchStorage {
  if (known === undefined || (known.dtype === storage.dtype && known.bytes === storage.bytes)) return storage;
  throw new PickleError(`it gives two sizes or types for the storage ${storage.key}`);
}
