import { closeSync, fstatSync } from 'node:fs';
import { CheckpointError } from '../../support/errors.js';
import { openRegularFile, readFully } from '../../support/read-file.js';
import type { Tensor } from '../../tensor/tensor.js';
import { LegacyFile } from './legacy-file.js';
import { MAX_PICKLE, PickleCursor } from './pickle-cursor.js';
import { readStorage, TensorBuilder, torchReducers } from './rebuild-tensors.js';
import { TorchArchive } from './torch-archive.js';
import { explainPickleError, PickleError, type StorageSource, type TorchValue } from './torch-value.js';
import { unpickle } from './unpickle.js';

/** A PyTorch file in memory. */
export interface TorchFile extends Disposable {
  readonly value: TorchValue;
  /** All tensors in `value`, each once, on the CPU. Views of one storage share it, as in the file. */
  readonly tensors: readonly Tensor[];
  /** Frees all tensors. */
  dispose(): void;
}

/**
 * Reads a file that `torch.save` wrote (`.pth`, `.pt`, `.th`, `.pt.tar`), in the format of PyTorch 1.6 and later or the one
 * before, without executing anything in it: classes other than PyTorch's tensors and plain containers are shown as
 * {@link Inert}, and so are tensors of types that the engine does not use. The caller owns the tensors. In the newer
 * format their memory is the file's: it may be removed meanwhile, but not written to.
 * @throws {CheckpointError} the file is missing, of another kind, truncated, damaged or hostile.
 */
export async function readTorchFile(path: string): Promise<TorchFile> {
  const file = open(path);
  try {
    const { size } = fstatSync(file);
    if (kindOf(file, size, path) === 'archive') {
      const archive = await TorchArchive.open(path, file, size);
      try {
        return build(pickleOf(archive), archive);
      } finally {
        archive.dispose();
      }
    }
    const legacy = LegacyFile.open(file, size);
    return build(legacy.pickle, legacy);
  } catch (error) {
    throw explainPickleError(error, path);
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  try {
    return openRegularFile(path);
  } catch (cause) {
    throw new CheckpointError(`Expected a PyTorch file at ${path}: ${(cause as Error).message}.`, { cause });
  }
}

function kindOf(file: number, size: number, path: string): 'archive' | 'legacy' {
  const start = Buffer.alloc(Math.min(4, size));
  readFully(file, start, 0);
  if (start.equals(Buffer.from('PK\x03\x04', 'latin1'))) return 'archive';
  if (start[0] === 0x80) return 'legacy';
  const found = size === 0 ? 'an empty file' : `one that begins with the bytes ${start.toString('hex')}`;
  throw new CheckpointError(`Expected a PyTorch file (a ZIP archive or pickles) at ${path}, received ${found}.`, {
    hint: 'Give a .pth, .pt or .th file; download it again if it should be one.',
  });
}

function pickleOf(archive: TorchArchive): Uint8Array {
  if (archive.has('byteorder')) {
    const order = archive.read('byteorder').toString('latin1').slice(0, 20);
    if (order !== 'little')
      throw new PickleError(`expected little-endian numbers, received the byte order ${JSON.stringify(order)}`);
  }
  const pickle = archive.read('data.pkl');
  if (pickle.length > MAX_PICKLE)
    throw new PickleError(`its pickle has ${pickle.length} bytes, expected up to ${MAX_PICKLE}`);
  return pickle;
}

function build(pickle: Uint8Array, source: StorageSource): TorchFile {
  const tensors = new TensorBuilder(source);
  const { made } = tensors;
  const dispose = () => {
    for (const tensor of made) tensor.dispose();
  };
  try {
    const value = unpickle(new PickleCursor(pickle), { reducers: torchReducers(tensors), persistent: readStorage });
    return { value, tensors: made, dispose, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  } finally {
    tensors.close();
  }
}
