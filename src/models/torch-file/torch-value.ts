import { CheckpointError } from '../../support/errors.js';
import { type DType, emptyView, type TensorData } from '../../tensor/dtype.js';
import { Tensor } from '../../tensor/tensor.js';

/**
 * What a PyTorch file holds: plain data and tensors. Tuples are arrays, dictionaries of any kind are maps, integers beyond
 * 2^53 are bigints. Parts may be shared; nothing refers to itself but by way of an {@link Inert}.
 */
export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tensor
  | TorchStorage
  | Inert
  | TorchValue[]
  | Map<TorchValue, TorchValue>
  | Set<TorchValue>;

/** A storage as a file names it: `count` elements under a key. Its bytes are read when a tensor uses it. */
export class TorchStorage {
  constructor(
    /** Undefined where the engine does not use its type. */
    readonly dtype: DType | undefined,
    readonly key: string,
    readonly count: number,
    readonly bytes: number,
  ) {}
}

/** Where a file keeps the bytes of its storages. */
export interface StorageSource {
  /** Bytes of the whole file; all storages together are no larger. */
  readonly size: number;
  /** A storage. @throws {PickleError} it is missing, of another size, or damaged. */
  storage(key: string, dtype: DType, count: number): StoredNumbers;
}

/** The elements of a storage: a flat tensor, the caller's, and the place of its first element in the memory it is of. */
export interface StoredNumbers {
  readonly flat: Tensor;
  readonly start: number;
}

/** Bytes that nobody else uses as a storage. */
export function storedNumbers(bytes: Buffer, dtype: DType, count: number): StoredNumbers {
  const View = emptyView(dtype, 0).constructor as new (buffer: ArrayBufferLike) => TensorData;
  return { flat: Tensor.from(new View(bytes.buffer), [count], dtype), start: 0 };
}

/** A class or function that a file names, or an instance of it. Nothing of it was run or imported: it is only shown. */
export class Inert {
  /** What `__setstate__` would get. */
  state: TorchValue | undefined;
  /** What would be appended or set, for subclasses of lists and dictionaries. */
  items: TorchValue[] | undefined;
  entries: Map<TorchValue, TorchValue> | undefined;

  constructor(
    /** Module and name, as in `argparse.Namespace`. */
    readonly className: string,
    /** Arguments of the constructor or function; absent for the bare name. */
    readonly args?: TorchValue[],
  ) {}
}

/** Why a pickle cannot be read, to be completed with the file's name. */
export class PickleError extends Error {}

/** A {@link PickleError} as an error for people; other errors are returned as they are. */
export function explainPickleError(error: unknown, path: string): unknown {
  if (!(error instanceof PickleError)) return error;
  return new CheckpointError(`${path} cannot be read as a PyTorch file: ${error.message}.`, {
    hint: 'Copy the file again. If it stays so, load it in Python and save only its state dict: torch.save(model.state_dict(), path).',
    cause: error,
  });
}

/** Longest name of a tensor; long names that many tensors share would fill the memory. */
const MAX_NAME = 1000;

/**
 * The state dict of a checkpoint: its tensors by dotted names, in the file's order. It may lie below `model`,
 * `state_dict` or `module`, as training scripts put it; dictionaries inside it become dotted names; what is no tensor is
 * left out. Empty where there is none.
 */
export function flattenState(value: TorchValue): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  // Shared parts count once: a small file can otherwise describe endless ones.
  const seen = new Set<object>();
  const visit = (inner: TorchValue, name: string): void => {
    if (inner instanceof Tensor) tensors.set(name, inner);
    if (!(inner instanceof Map) || seen.has(inner)) return;
    seen.add(inner);
    for (const [key, child] of inner) {
      if (typeof key !== 'string' && typeof key !== 'number') continue;
      const path = name === '' ? `${key}` : `${name}.${key}`;
      if (path.length > MAX_NAME)
        throw new CheckpointError(
          `Expected names of up to ${MAX_NAME} letters in a state dict, received one of ${path.length}.`,
        );
      visit(child, path);
    }
  };
  visit(unwrap(value), '');
  return tensors;
}

function unwrap(value: TorchValue): TorchValue {
  if (!(value instanceof Map) || [...value.values()].some((inner) => inner instanceof Tensor)) return value;
  const inner = ['model', 'state_dict', 'module'].map((key) => value.get(key)).find((found) => found instanceof Map);
  return inner === undefined ? value : unwrap(inner);
}
