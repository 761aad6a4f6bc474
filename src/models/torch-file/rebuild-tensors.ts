import { type DType, dtypeBytes } from '../../tensor/dtype.js';
import * as ops from '../../tensor/ops.generated.js';
import type { Tensor } from '../../tensor/tensor.js';
import {
  Inert,
  PickleError,
  type StorageSource,
  type StoredNumbers,
  TorchStorage,
  type TorchValue,
} from './torch-value.js';
import type { Reducer } from './unpickle.js';

/** How much larger than the file its tensors may be together: views can repeat elements. */
const MAX_REPEATED = 8;
const MAX_AXES = 64;
/** A checkpoint of the largest models has a tenth of it, moments of the optimiser included. */
const MAX_TENSORS = 100_000;

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

/** Bytes of an element of storages whose tensors are only shown. */
const otherStorages: Readonly<Record<string, number>> = {
  'torch.storage.UntypedStorage': 1,
  'torch.UntypedStorage': 1,
  'torch.ComplexFloatStorage': 8,
  'torch.ComplexDoubleStorage': 16,
  'torch.QInt8Storage': 1,
  'torch.QUInt8Storage': 1,
  'torch.QInt32Storage': 4,
};

/**
 * What a persistent id stands for: `('storage', class, key, device, elements)`, in the old format `('module', class, …)`
 * too. Devices are of no interest, everything is read onto the CPU.
 */
export function readStorage(id: TorchValue): TorchStorage | Inert {
  if (!Array.isArray(id)) throw new PickleError('its pickle has a persistent id that is no storage');
  const [kind, type, key, , count, view = null] = id;
  if (kind === 'module' && type instanceof Inert) return type;
  if (kind !== 'storage') throw new PickleError('its pickle has a persistent id that is no storage');
  if (!(type instanceof Inert) || typeof key !== 'string' || !isCount(count))
    throw new PickleError('it has a storage without type, key or size');
  if (view !== null) throw new PickleError('it has a part of a storage, as PyTorch before 0.4 wrote them');
  const { className } = type;
  const dtype = Object.hasOwn(storageTypes, className) ? storageTypes[className] : undefined;
  const bytes = dtype
    ? dtypeBytes(dtype)
    : Object.hasOwn(otherStorages, className)
      ? otherStorages[className]
      : undefined;
  if (bytes === undefined) throw new PickleError(`it has a storage of the unknown type ${className.slice(0, 100)}`);
  return new TorchStorage(dtype, key, count, count * bytes);
}

/** Makes the tensors of a file, each storage once. Close it after use. */
export class TensorBuilder {
  readonly made: Tensor[] = [];
  readonly #storages = new Map<string, { readonly storage: TorchStorage; readonly numbers: StoredNumbers }>();
  #bytes = 0;

  constructor(private readonly source: StorageSource) {}

  /** Arguments as of torch/_utils.py `_rebuild_tensor_v2`. */
  rebuild(args: readonly TorchValue[]): TorchValue {
    const [storage, offset, shape, strides] = args;
    if (!(storage instanceof TorchStorage) || !isCount(offset) || !isCounts(shape) || !isCounts(strides)) {
      throw new PickleError('it has a tensor without storage, offset, sizes or strides');
    }
    const { dtype } = storage;
    if (dtype === undefined) return new Inert('torch.Tensor', [...args]);
    checkView(storage, offset, shape, strides);
    this.#bytes += dtypeBytes(dtype) * shape.reduce((product, size) => product * size, 1);
    const { size } = this.source;
    if (this.#bytes > MAX_REPEATED * size)
      throw new PickleError(`its tensors take more than ${MAX_REPEATED} times the ${size} bytes of the file`);
    if (this.made.length >= MAX_TENSORS) throw new PickleError(`it has more than ${MAX_TENSORS} tensors`);
    const { flat, start } = this.#numbers(storage, dtype);
    const tensor = ops.asStrided(flat, shape, strides, start + offset);
    this.made.push(tensor);
    return tensor;
  }

  /** Gives up the storages; tensors keep what they use. */
  close(): void {
    for (const { numbers } of this.#storages.values()) numbers.flat.dispose();
  }

  #numbers(storage: TorchStorage, dtype: DType): StoredNumbers {
    const { key, count } = storage;
    const known = this.#storages.get(key);
    if (known) {
      if (known.storage.dtype === dtype && known.storage.count === count) return known.numbers;
      throw new PickleError(`it gives two sizes or types for the storage ${key}`);
    }
    const numbers = this.source.storage(key, dtype, count);
    this.#storages.set(key, { storage, numbers });
    return numbers;
  }
}

function checkView(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]): void {
  if (shape.length !== strides.length)
    throw new PickleError(`it has a tensor with ${shape.length} sizes and ${strides.length} strides`);
  if (!Number.isSafeInteger(shape.reduce((product, size) => product * Math.max(size, 1), 1)))
    throw new PickleError('it has a tensor with more elements than can be counted');
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
export function torchReducers(tensors: TensorBuilder): ReadonlyMap<string, Reducer> {
  const first: Reducer = (args) => args[0] ?? null;
  const rebuilders = new Map<string, Reducer>([
    ['torch._utils._rebuild_tensor', (args) => tensors.rebuild(args)],
    ['torch._utils._rebuild_tensor_v2', (args) => tensors.rebuild(args)],
    ['torch._utils._rebuild_parameter', first],
    ['torch._utils._rebuild_parameter_with_state', first],
  ]);
  return new Map<string, Reducer>([
    ...rebuilders,
    // (function, class, its arguments, state): a tensor with attributes, or of a class of its own.
    ['torch._tensor._rebuild_from_type_v2', (args) => rebuildInner(args, rebuilders)],
    ['torch.Size', first],
    ['torch.device', ([kind, index]) => (typeof index === 'number' ? `${textOf(kind)}:${index}` : textOf(kind))],
    ['collections.OrderedDict', mapOf],
  ]);
}

function rebuildInner(args: readonly TorchValue[], rebuilders: ReadonlyMap<string, Reducer>): TorchValue {
  const [callee, , inner] = args;
  const rebuild = callee instanceof Inert ? rebuilders.get(callee.className) : undefined;
  return rebuild && Array.isArray(inner) ? rebuild(inner) : new Inert('torch.Tensor', [...args]);
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
