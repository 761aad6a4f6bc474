import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { CheckpointError } from '../support/errors.js';
import { type DType, dtypeBytes, dtypeFromSafetensors, emptyView, safetensorsName } from './dtype.js';
import { Tensor } from './tensor.js';

/** Longest header that is read, in bytes: enough for a million tensors, too little to exhaust memory. */
const MAX_HEADER = 100 * 2 ** 20;

export interface SafetensorsEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Position of the first byte in the file, and the number of bytes. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsIndex {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads all tensors of a safetensors file onto the CPU; the caller owns them.
 * @throws {CheckpointError} the file is unreadable, truncated or inconsistent.
 */
export function readSafetensors(path: string): Map<string, Tensor> {
  const file = open(path);
  try {
    const { entries } = readIndex(file, path);
    const tensors = new Map<string, Tensor>();
    for (const [name, { dtype, shape, offset, bytes }] of entries) {
      const view = emptyView(dtype, bytes / dtypeBytes(dtype));
      readExactly(file, new Uint8Array(view.buffer), offset, path);
      tensors.set(name, Tensor.from(view, shape, dtype));
    }
    return tensors;
  } finally {
    closeSync(file);
  }
}

/** Names, shapes and metadata without the data. @throws {CheckpointError} as {@link readSafetensors}. */
export function readSafetensorsIndex(path: string): SafetensorsIndex {
  const file = open(path);
  try {
    return readIndex(file, path);
  } finally {
    closeSync(file);
  }
}

/** Writes tensors and flushes them to the disk. Not atomic by itself: checkpoints write into a temporary folder. */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt', ...metadata } };
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const bytes = tensor.length * dtypeBytes(tensor.dtype);
    header[name] = {
      dtype: safetensorsName(tensor.dtype),
      shape: tensor.shape,
      data_offsets: [offset, offset + bytes],
    };
    offset += bytes;
  }
  const text = JSON.stringify(header);
  // The format asks for data aligned to 8 bytes; spaces may pad the header.
  const json = Buffer.from(text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  try {
    writeFully(file, length);
    writeFully(file, json);
    for (const tensor of tensors.values()) writeFully(file, new Uint8Array(tensor.data().buffer));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new CheckpointError(`Expected a safetensors file at ${path}: ${(cause as Error).message}.`, { cause });
  }
}

function readIndex(file: number, path: string): SafetensorsIndex {
  const size = fstatSync(file).size;
  const broken = (reason: string) =>
    new CheckpointError(`${path} is not a usable safetensors file: ${reason}.`, {
      hint: 'Use an earlier checkpoint, or copy the file again.',
    });
  if (size < 8) throw broken(`it has ${size} bytes`);
  const prefix = Buffer.alloc(8);
  readExactly(file, prefix, 0, path);
  const length = Number(prefix.readBigUInt64LE());
  if (length > Math.min(size - 8, MAX_HEADER)) throw broken(`its header claims ${length} bytes of ${size}`);
  const text = Buffer.alloc(length);
  readExactly(file, text, 8, path);
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(text.toString('utf8')) as Record<string, unknown>;
  } catch {
    throw broken('its header is not JSON');
  }
  if (header === null || typeof header !== 'object') throw broken('its header is not an object');
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') entries.set(name, readEntry(name, value, 8 + length, size, broken));
  }
  return { entries, metadata: (header.__metadata__ ?? {}) as Record<string, string> };
}

function readEntry(
  name: string,
  value: unknown,
  start: number,
  size: number,
  broken: (reason: string) => CheckpointError,
): SafetensorsEntry {
  const { dtype: typeName, shape, data_offsets: range } = (value ?? {}) as Record<string, unknown>;
  const dtype = typeof typeName === 'string' ? dtypeFromSafetensors(typeName) : undefined;
  if (dtype === undefined) throw broken(`${name} has the dtype ${String(typeName)}`);
  const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isCount)) throw broken(`${name} has no valid shape`);
  if (!Array.isArray(range) || range.length !== 2 || !range.every(isCount))
    throw broken(`${name} has no valid offsets`);
  const [begin, end] = range as [number, number];
  const bytes = (shape as number[]).reduce((product, n) => product * n, dtypeBytes(dtype));
  if (end - begin !== bytes) throw broken(`${name} should take ${bytes} bytes and takes ${end - begin}`);
  if (start + end > size) throw broken(`${name} ends at byte ${start + end} of ${size}: the file is truncated`);
  return { dtype, shape: shape as number[], offset: start + begin, bytes };
}

function readExactly(file: number, target: Uint8Array, position: number, path: string): void {
  let done = 0;
  while (done < target.length) {
    const count = readSync(file, target, done, target.length - done, position + done);
    if (count === 0) throw new CheckpointError(`${path} ended after ${position + done} bytes: it is truncated.`);
    done += count;
  }
}
