import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readTorchFile } from '../../../../src/models/torch-file/read-torch-file.js';
import { CheckpointError } from '../../../../src/support/errors.js';
import { liveTensors, scope } from '../../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../../support/temporary-folder.js';
import { pickle, tensorPickle, writeArchive } from '../../../support/torch-archives.js';

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const value = tensorPickle({ key: '0', count: 4, shape: [4], strides: [1] });

/** Places in the directory of an archive, which are the same in every line of it. */
const fields = { flags: 8, method: 10, stored: 20, size: 24, name: 46, header: 42 } as const;

interface Directory {
  /** The line of a record. */
  line(name: string): number;
  /** The record that ends the file. */
  readonly end: number;
}

/** An archive with a tensor of four floats and one of eight, changed by `change`; it is written to `path`. */
function archive(path: string, change: (bytes: Buffer, directory: Directory) => void): void {
  const second = tensorPickle({ key: '1', count: 8, shape: [8], strides: [1] });
  writeArchive(path, {
    'data.pkl': pickle('(', value, second, 't'),
    'data/0': floats(1, 2, 3, 4),
    'data/1': floats(1, 2, 3, 4, 5, 6, 7, 8),
  });
  const bytes = readFileSync(path);
  const line = (name: string) => bytes.lastIndexOf(`archive/${name}`, undefined, 'latin1') - fields.name;
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  change(bytes, { line, end });
  writeFileSync(path, bytes);
}

it('an unchanged one is read', async () => {
  const path = join(temporaryFolder(), 'file.pth');
  archive(path, () => {});
  using file = await readTorchFile(path);
  expect(scope(() => file.tensors.map((tensor) => tensor.length))).toEqual([4, 8]);
});

it.each<[string, RegExp, Parameters<typeof archive>[1]]>([
  [
    'two records in the same bytes',
    /overlap/,
    (bytes, { line }) => {
      bytes.copy(bytes, line('data/1') + fields.header, line('data/0') + fields.header, line('data/0') + fields.name);
    },
  ],
  [
    'a record that reaches into the next one',
    /overlap/,
    (bytes, { line }) => {
      for (const field of [fields.stored, fields.size]) bytes.writeUInt32LE(64, line('data/0') + field);
    },
  ],
  [
    'a record of 4 GB',
    /overflows file bounds/,
    (bytes, { line }) => {
      for (const field of [fields.stored, fields.size]) bytes.writeUInt32LE(0xfffffffe, line('data/1') + field);
    },
  ],
  [
    'a record that is smaller than it was',
    /expected 32 bytes/,
    (bytes, { line }) => {
      for (const field of [fields.stored, fields.size]) bytes.writeUInt32LE(16, line('data/1') + field);
    },
  ],
  [
    'a compressed record',
    /is compressed/,
    (bytes, { line }) => {
      bytes.writeUInt16LE(8, line('data/0') + fields.method);
    },
  ],
  [
    'an encrypted record',
    /compressed|encrypted/,
    (bytes, { line }) => {
      bytes.writeUInt16LE(1, line('data/0') + fields.flags);
    },
  ],
  [
    'two records of one name',
    /two records named archive\/data\/0/,
    (bytes, { line }) => {
      bytes.write('archive/data/0', line('data/1') + fields.name, 'latin1');
    },
  ],
  [
    'a header that is none',
    /damaged or truncated/,
    (bytes, { line }) => {
      bytes.writeUInt32LE(bytes.length - 10, line('data/0') + fields.header);
    },
  ],
  [
    'sixty thousand records',
    /60000 records/,
    (bytes, { end }) => {
      for (const field of [8, 10]) bytes.writeUInt16LE(60_000, end + field);
    },
  ],
])('%s: refused', async (_, words, change) => {
  const before = liveTensors().tensors;
  const path = join(temporaryFolder(), 'file.pth');
  archive(path, change);
  await expect(readTorchFile(path)).rejects.toThrow(words);
  await expect(readTorchFile(path)).rejects.toThrow(CheckpointError);
  expect(liveTensors().tensors).toBe(before);
});

it('what is named as a path elsewhere is written nowhere', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'file.pth');
  writeArchive(path, { 'data.pkl': pickle(value), 'data/0': floats(1, 2, 3, 4), '../../outside': floats(1) });
  await readTorchFile(path).then(
    (file) => file.dispose(),
    (error) => expect(error).toBeInstanceOf(CheckpointError),
  );
  expect(existsSync(join(folder, '../outside'))).toBe(false);
});
