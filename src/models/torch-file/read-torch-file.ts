import { type DType, dtypeBytes, emptyView, type TensorData } from '../../tensor/dtype.js';
import * as ops from '../../tensor/ops.generated.js';
import { Tensor } from '../../tensor/tensor.js';
import { PickleCursor } from './pickle-cursor.js';
import { TorchArchive } from './torch-archive.js';
import { explainPickleError, Inert, PickleError, TorchStorage, type TorchValue } from './torch-value.js';
import { unpickle } from './unpickle.js';

/** Longest description of a file's values, in bytes. */
const MAX_PICKLE = 64 * 2 ** 20;
/** How much larger than the file its tensors may be together: views can repeat elements. */
const MAX_REPEATED = 8;
const MAX_AXES = 64;

/** Element types by the storage class that a file names. */
const storageTypes: Readonly<Record<string, DType>> = {
  'torch.ByteStorage': 'uint8',
  'torch.CharStorage': 'int8',
  'torch.ShortStorage': 'int16',
  'torch.IntStorage': 'int32',
  'torch.LongStorage': 'int64',
  'torch.HalfStorage': 'float16',
  'torch.FloatStorage': 'float32',
  'torch.DoubleStorage': 'float64',
  'torch.BoolStorage': 'bool',
  'torch.BFloat16Storage': 'bfloat16',
};

/** A PyTorch file in memory. */
export interface TorchFile extends Disposable {
  readonly value: TorchValue;
  /** All tensors in `value`, each once, on the CPU. Views of one storage share it, as in the file. */
  readonly tensors: readonly Tensor[];
  /** Frees all tensors. */
  dispose(): void;
}

/**
 * Reads a file that `torch.save` wrote (`.pth`, `.pt`, `.th`), without executing anything in it: classes other than
 * PyTorch's tensors and plain containers are shown as {@link Inert}, and so are tensors of types that the engine does not
 * use. Needs about the file's size in memory. The caller owns the tensors.
 * @throws {CheckpointError} the file is missing, of another kind, truncated, damaged or hostile.
 */
export async function readTorchFile(path: string): Promise<TorchFile> {
  try {
    const archive = await TorchArchive.open(path);
    try {
      return readArchive(archive);
    } finally {
      archive.close();
    }
  } catch (error) {
    throw explainPickleError(error, path);
  }
}

function readArchive(archive: TorchArchive): TorchFile {
  if (archive.has('byteorder')) {
    const order = archive.read('byteorder').toString('latin1').slice(0, 20);
    if (order !== 'little')
      throw new PickleError(`expected little-endian numbers, received the byte order ${JSON.stringify(order)}`);
  }
  const pickle = archive.read('data.pkl');
  if (pickle.length > MAX_PICKLE)
    throw new PickleError(`its pickle has ${pickle.length} bytes, expected up to ${MAX_PICKLE}`);
  const tensors = new TensorBuilder(archive);
  try {
    const value = unpickle(new PickleCursor(pickle), { reducers: reducersFor(tensors), persistent: readStorage });
    const { made } = tensors;
    const dispose = () => {
      for (const tensor of made) tensor.dispose();
    };
    return { value, tensors: made, dispose, [Symbol.dispose]: dispose };
  } catch (error) {
    for (const tensor of tensors.made) tensor.dispose();
    throw error;
  } finally {
    tensors.close();
  }
}

/** `('storage', class, key, device, elements)`; devices are of no interest, everything is read onto the CPU. */
function readStorage(id: TorchValue): TorchValue {
  if (!Array.isArray(id) || id[0] !== 'storage')
    throw new PickleError('its pickle has a persistent id that is no storage');
  const [, type, key, , count] = id;
  if (!(type instanceof Inert) || typeof key !== 'string' || !isCount(count))
    throw new PickleError('it has a storage without type, key or size');
  const dtype = Object.hasOwn(storageTypes, type.className) ? storageTypes[type.className] : undefined;
  return dtype === undefined ? new Inert(type.className, id) : new TorchStorage(dtype, key, count);
}

/** Makes the tensors of a file, each storage once. */
class TensorBuilder {
  readonly made: Tensor[] = [];
  readonly #storages = new Map<string, { readonly storage: TorchStorage; readonly flat: Tensor }>();
  #bytes = 0;

  constructor(private readonly archive: TorchArchive) {}

  /** Arguments as of torch/_utils.py `_rebuild_tensor_v2`. */
  rebuild(args: readonly TorchValue[]): TorchValue {
    const [storage, offset, shape, strides] = args;
    if (storage instanceof Inert) return new Inert('torch.Tensor', [...args]);
    if (!(storage instanceof TorchStorage) || !isCount(offset) || !isCounts(shape) || !isCounts(strides)) {
      throw new PickleError('it has a tensor without storage, offset, sizes or strides');
    }
    checkView(storage, offset, shape, strides);
    this.#bytes += dtypeBytes(storage.dtype) * shape.reduce((product, size) => product * size, 1);
    if (this.#bytes > MAX_REPEATED * this.archive.size) {
      throw new PickleError(
        `its tensors take more than ${MAX_REPEATED} times the ${this.archive.size} bytes of the file`,
      );
    }
    const tensor = ops.asStrided(this.#flat(storage), shape, strides, offset);
    this.made.push(tensor);
    return tensor;
  }

  /** Gives up the storages; tensors keep what they use. */
  close(): void {
    for (const { flat } of this.#storages.values()) flat.dispose();
  }

  #flat(storage: TorchStorage): Tensor {
    const { dtype, key, count } = storage;
    const known = this.#storages.get(key);
    if (known) {
      if (known.storage.dtype === dtype && known.storage.count === count) return known.flat;
      throw new PickleError(`it gives two sizes or types for the storage ${key}`);
    }
    const bytes = this.archive.read(`data/${key}`, count * dtypeBytes(dtype));
    const flat = Tensor.from(viewOf(bytes, dtype), [count], dtype);
    this.#storages.set(key, { storage, flat });
    return flat;
  }
}

function viewOf(bytes: Buffer, dtype: DType): TensorData {
  const View = emptyView(dtype, 0).constructor as new (buffer: ArrayBufferLike) => TensorData;
  return new View(bytes.buffer);
}

function checkView(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]): void {
  if (shape.length !== strides.length)
    throw new PickleError(`it has a tensor with ${shape.length} sizes and ${strides.length} strides`);
  if (shape.includes(0)) {
    if (offset > storage.count) throw new PickleError(`it has a tensor beyond the end of the storage ${storage.key}`);
    return;
  }
  const last = shape.reduce((position, size, axis) => position + (size - 1) * strides[axis]!, offset);
  if (last >= storage.count) {
    throw new PickleError(
      `it has a tensor that reaches element ${last} of the storage ${storage.key}, which has ${storage.count}`,
    );
  }
}

/** What stands for the functions and classes in state dicts. Source: torch/_utils.py. */
function reducersFor(tensors: TensorBuilder): ReadonlyMap<string, (args: readonly TorchValue[]) => TorchValue> {
  const rebuild = (args: readonly TorchValue[]) => tensors.rebuild(args);
  const first = (args: readonly TorchValue[]): TorchValue => args[0] ?? null;
  return new Map<string, (args: readonly TorchValue[]) => TorchValue>([
    ['torch._utils._rebuild_tensor', rebuild],
    ['torch._utils._rebuild_tensor_v2', rebuild],
    ['torch._utils._rebuild_parameter', first],
    ['torch._utils._rebuild_parameter_with_state', first],
    ['torch.Size', first],
    ['torch.device', ([kind, index]) => (typeof index === 'number' ? `${textOf(kind)}:${index}` : textOf(kind))],
    ['collections.OrderedDict', mapOf],
  ]);
}

function textOf(value: TorchValue | undefined): string {
  if (typeof value !== 'string') throw new PickleError('it names a device by something that is no text');
  return value;
}

/** An ordered dictionary is empty, or made of a list of pairs. */
function mapOf(args: readonly TorchValue[]): TorchValue {
  const pairs = args[0] ?? [];
  if (!Array.isArray(pairs))
    throw new PickleError('it has an ordered dictionary that is made of something else than pairs');
  const map = new Map<TorchValue, TorchValue>();
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new PickleError('it has an ordered dictionary that is made of something else than pairs');
    map.set(pair[0]!, pair[1]!);
  }
  return map;
}

function isCount(value: TorchValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: TorchValue | undefined): value is number[] {
  return Array.isArray(value) && value.length <= MAX_AXES && value.every(isCount);
}
