import { closeSync, openSync } from 'node:fs';
import { StoredZipWriter } from '../../src/models/torch-file/stored-zip.js';

/** Writes a ZIP archive with these records in the folder `archive`, as a PyTorch file has them. */
export function writeArchive(path: string, records: Readonly<Record<string, Uint8Array>>): void {
  const file = openSync(path, 'w');
  const zip = new StoredZipWriter(file);
  for (const [name, data] of Object.entries(records)) zip.add(`archive/${name}`, data);
  zip.finish();
  closeSync(file);
}

/** A pickle of protocol 2 from opcodes as text (one letter a byte) and numbers (one byte each). */
export function pickle(...parts: (string | number | Uint8Array)[]): Buffer {
  const bytes = parts.map((part) =>
    typeof part === 'number' ? Buffer.of(part) : Buffer.from(part as string, 'latin1'),
  );
  return Buffer.concat([Buffer.of(0x80, 2), ...bytes, Buffer.from('.')]);
}

/** BINUNICODE. */
export function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([Buffer.from('X'), length, bytes]);
}

/** BININT. */
export function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.write('J');
  bytes.writeInt32LE(value, 1);
  return bytes;
}

/** A tensor of float32 in storage `key`, as torch._utils._rebuild_tensor_v2 makes it. */
export function tensorPickle(tensor: {
  key: string;
  count: number;
  offset?: number;
  shape: number[];
  strides: number[];
}): Buffer {
  const tuple = (values: number[]) => Buffer.concat([Buffer.from('('), ...values.map(integer), Buffer.from('t')]);
  const storage = [
    Buffer.from('('),
    text('storage'),
    Buffer.from('ctorch\nFloatStorage\n'),
    text(tensor.key),
    text('cpu'),
  ];
  return Buffer.concat([
    Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n('),
    ...storage,
    integer(tensor.count),
    Buffer.from('tQ'),
    integer(tensor.offset ?? 0),
    tuple(tensor.shape),
    tuple(tensor.strides),
    Buffer.of(0x89),
    Buffer.from('ccollections\nOrderedDict\n)RtR'),
  ]);
}
