import { closeSync, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { CheckpointError } from '../support/errors.js';
import { openRegularFile, readFully } from '../support/read-file.js';
import { type DType, dtypeBytes, dtypeFromSafetensors, safetensorsName } from './dtype.js';
import * as ops from './ops.generated.js';
import { scope, type Tensor } from './tensor.js';

/** Longest header that is read, in bytes: enough for a hundred thousand tensors, too little to exhaust memory. */
const MAX_HEADER = 16 * 2 ** 20;
const MAX_AXES = 64;

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
 * All tensors of a safetensors file, on the CPU and the caller's. Their memory is the file's: it is taken as they are
 * looked at, and changes to them stay in memory. The file may be removed meanwhile, but not written to.
 * @throws {CheckpointError} the file is unreadable, truncated or inconsistent.
 */
export function readSafetensors(path: string): Map<string, Tensor> {
  const { entries } = readSafetensorsIndex(path);
  const size = [...entries.values()].reduce((end, { offset, bytes }) => Math.max(end, offset + bytes), 0);
  if (size === 0) return new Map();
  return scope(() => {
    const file_B = ops.fromFile(path, false, size, 'uint8');
    return new Map(
      [...entries].map(([name, { dtype, shape, offset, bytes }]) => {
        const part_B = ops.narrow(file_B, 0, offset, bytes);
        // Writers need not align what they write, and processors then want a copy.
        const aligned_B = offset % dtypeBytes(dtype) === 0 ? part_B : ops.clone(part_B);
        return [name, ops.reshape(ops.viewDtype(aligned_B, dtype), shape)];
      }),
    );
  });
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
    return openRegularFile(path);
  } catch (cause) {
    throw new CheckpointError(`Expected a safetensors file at ${path}: ${(cause as Error).message}.`, { cause });
  }
}

type Broken = (reason: string) => CheckpointError;

function readIndex(file: number, path: string): SafetensorsIndex {
  const size = fstatSync(file).size;
  const broken: Broken = (reason) =>
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
  const { __metadata__: metadata = {}, ...header } = parseHeader(text.toString('utf8'), broken);
  const entries = new Map(
    Object.entries(header).map(([name, value]) => [name, readEntry(name, value, 8 + length, size, broken)]),
  );
  checkPlaces(entries, 8 + length, size, broken);
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string'))
    throw broken('its metadata is not a list of texts');
  return { entries, metadata: metadata as Record<string, string> };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseHeader(text: string, broken: Broken): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    throw broken('its header is not JSON');
  }
  if (!isObject(header)) throw broken('its header is not an object');
  // Of two values with one name, JSON.parse gives the last. A colon behind the end of a text makes it a name.
  let [names, inText] = [0, false];
  for (const [token, colon] of text.matchAll(/\\.|"\s*(:?)/g)) {
    if (token.startsWith('\\')) continue;
    if (inText && colon !== '') names++;
    inText = !inText;
  }
  const inner = Object.values(header).map((value) => (isObject(value) ? Object.keys(value).length : 0));
  if (names !== inner.reduce((sum, count) => sum + count, inner.length)) throw broken('its header gives a name twice');
  return header;
}

/** Tensors lie one behind another, without gaps, as the format demands: none shares bytes, nothing is hidden. */
function checkPlaces(
  entries: ReadonlyMap<string, SafetensorsEntry>,
  start: number,
  size: number,
  broken: Broken,
): void {
  let end = start;
  const places = [...entries].sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes);
  for (const [name, { offset, bytes }] of places) {
    if (offset !== end)
      throw broken(`${name} begins at byte ${offset}, where ${end} was expected: tensors overlap or leave a gap`);
    end = offset + bytes;
  }
  if (end !== size) throw broken(`it has ${size - end} bytes behind the last tensor`);
}

function readEntry(name: string, value: unknown, start: number, size: number, broken: Broken): SafetensorsEntry {
  const { dtype: typeName, shape, data_offsets: range } = (value ?? {}) as Record<string, unknown>;
  const dtype = typeof typeName === 'string' ? dtypeFromSafetensors(typeName) : undefined;
  if (dtype === undefined) throw broken(`${name} has the dtype ${String(typeName)}`);
  const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || shape.length > MAX_AXES || !shape.every(isCount))
    throw broken(`${name} has no valid shape`);
  if (!Number.isSafeInteger(shape.reduce((product, n) => product * Math.max(n, 1), dtypeBytes(dtype))))
    throw broken(`${name} has more elements than can be counted`);
  if (!Array.isArray(range) || range.length !== 2 || !range.every(isCount))
    throw broken(`${name} has no valid offsets`);
  const [begin, end] = range as [number, number];
  const bytes = shape.reduce((product, n) => product * n, dtypeBytes(dtype));
  if (end - begin !== bytes) throw broken(`${name} should take ${bytes} bytes and takes ${end - begin}`);
  if (start + end > size) throw broken(`${name} ends at byte ${start + end} of ${size}: the file is truncated`);
  return { dtype, shape, offset: start + begin, bytes };
}

function readExactly(file: number, target: Uint8Array, position: number, path: string): void {
  const count = readFully(file, target, position);
  if (count < target.length)
    throw new CheckpointError(`${path} ended after ${position + count} bytes: it is truncated.`);
}
