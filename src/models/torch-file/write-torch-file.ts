import { closeSync, openSync } from 'node:fs';
import { fillFileAtomic } from '../../support/atomic-file.js';
import { CheckpointError } from '../../support/errors.js';
import { type DType, dtypeBytes } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import { StoredZipWriter } from './stored-zip.js';

const storageNames: Readonly<Record<DType, string>> = {
  uint8: 'ByteStorage',
  int8: 'CharStorage',
  int16: 'ShortStorage',
  int32: 'IntStorage',
  int64: 'LongStorage',
  float16: 'HalfStorage',
  float32: 'FloatStorage',
  float64: 'DoubleStorage',
  bool: 'BoolStorage',
  bfloat16: 'BFloat16Storage',
};

/**
 * Writes tensors as a state dict that `torch.load(path, weights_only=True)` reads: an OrderedDict on the CPU, row-major,
 * each tensor with a storage of its own. The file appears complete or not at all; one tensor at a time is in memory.
 * @param below the key of a dictionary around the state dict, where there is one
 * @throws {CheckpointError} a tensor has 4 GiB or more.
 * @throws {TesseraError} STORAGE: the disk is full or not writable.
 */
export function writeTorchFile(path: string, state: ReadonlyMap<string, Tensor>, below?: string): void {
  let bytes = 0;
  for (const [name, tensor] of state) {
    const size = tensor.length * dtypeBytes(tensor.dtype);
    if (size >= 2 ** 32)
      throw new CheckpointError(`Expected tensors below 4 GiB, ${name} has ${size} bytes.`, {
        hint: 'Write a .safetensors file.',
      });
    bytes += size;
  }
  fillFileAtomic(path, (partial) => writeArchive(partial, state, below), bytes);
}

/** The records as of torch/serialization.py `_save`. */
function writeArchive(path: string, state: ReadonlyMap<string, Tensor>, below: string | undefined): void {
  const file = openSync(path, 'w');
  try {
    const zip = new StoredZipWriter(file);
    zip.add('archive/data.pkl', pickleState(state, below));
    zip.add('archive/byteorder', Buffer.from('little'));
    let key = 0;
    for (const tensor of state.values()) zip.add(`archive/data/${key++}`, bytesOf(tensor));
    zip.add('archive/version', Buffer.from('3\n'));
    zip.finish();
  } finally {
    closeSync(file);
  }
}

function bytesOf(tensor: Tensor): Uint8Array {
  return new Uint8Array(tensor.data().buffer);
}

/**
 * A pickle (protocol 2) of an OrderedDict of tensors whose storages have the keys 0, 1, … in the map's order, alone or
 * below a key of another one.
 */
function pickleState(state: ReadonlyMap<string, Tensor>, below: string | undefined): Buffer {
  const parts: Buffer[] = [EMPTY_DICTIONARY, opcode('(')];
  let key = 0;
  for (const [name, tensor] of state) parts.push(text(name), ...pickleTensor(tensor, String(key++)));
  parts.push(opcode('u'));
  const outer = below === undefined ? parts : [EMPTY_DICTIONARY, opcode('('), text(below), ...parts, opcode('u')];
  return Buffer.concat([Buffer.from([0x80, 2]), ...outer, opcode('.')]);
}

/** `_rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks)`. Source: torch/_tensor.py `_reduce_ex_internal`. */
function pickleTensor(tensor: Tensor, key: string): Buffer[] {
  const { shape } = tensor;
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const storage = [opcode('('), text('storage'), name('torch', storageNames[tensor.dtype]), text(key), text('cpu')];
  return [
    name('torch._utils', '_rebuild_tensor_v2'),
    opcode('('),
    ...[...storage, integer(tensor.length), opcode('t'), opcode('Q')],
    ...[integer(0), tuple(shape), tuple(strides), FALSE, EMPTY_DICTIONARY],
    ...[opcode('t'), opcode('R')],
  ];
}

function opcode(letters: string): Buffer {
  return Buffer.from(letters, 'ascii');
}

/** GLOBAL: a class or function. */
function name(module: string, symbol: string): Buffer {
  return Buffer.from(`c${module}\n${symbol}\n`, 'ascii');
}

/** BINUNICODE. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([opcode('X'), length, bytes]);
}

/** LONG1 with 8 bytes, or BININT where that is enough. */
function integer(value: number): Buffer {
  const buffer = Buffer.alloc(value < 2 ** 31 ? 5 : 10);
  if (value < 2 ** 31) {
    buffer.write('J', 'ascii');
    buffer.writeInt32LE(value, 1);
  } else {
    buffer.writeUInt16LE(0x088a);
    buffer.writeBigInt64LE(BigInt(value), 2);
  }
  return buffer;
}

function tuple(values: readonly number[]): Buffer {
  return Buffer.concat([opcode('('), ...values.map(integer), opcode('t')]);
}

const FALSE = Buffer.from([0x89]);
const EMPTY_DICTIONARY = Buffer.concat([name('collections', 'OrderedDict'), opcode(')R')]);
