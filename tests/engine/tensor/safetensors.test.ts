import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CheckpointError } from '../../../src/support/errors.js';
import { readSafetensors, readSafetensorsIndex, writeSafetensors } from '../../../src/tensor/safetensors.js';
import { scope, Tensor } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const sample = () =>
  new Map([
    ['a', Tensor.from(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])],
    ['b', Tensor.from(BigInt64Array.of(-1n), [])],
    ['empty', Tensor.from(new Float32Array(0), [0, 4])],
  ]);

it('writes what it reads', () => {
  scope(() => {
    const path = join(temporaryFolder(), 'x.safetensors');
    writeSafetensors(path, sample(), { note: 'héllo' });
    const read = readSafetensors(path);
    for (const [name, tensor] of sample()) {
      expect(read.get(name)!.shape).toEqual(tensor.shape);
      expect(read.get(name)!.data()).toEqual(tensor.data());
    }
    const { entries, metadata } = readSafetensorsIndex(path);
    expect([...entries.keys()]).toEqual(['a', 'b', 'empty']);
    expect(metadata.note).toBe('héllo');
    // The format wants the data aligned to eight bytes.
    expect(entries.get('a')!.offset % 8).toBe(0);
  });
});

it('refuses damaged files with the reason', () => {
  const folder = temporaryFolder();
  const path = join(folder, 'x.safetensors');
  scope(() => writeSafetensors(path, sample()));
  const good = readFileSync(path);
  const damaged = (change: (bytes: Buffer) => unknown) => {
    const bytes = Buffer.from(good);
    const changed = change(bytes);
    writeFileSync(path, Buffer.isBuffer(changed) ? changed : bytes);
    return () => scope(() => readSafetensors(path));
  };
  expect(damaged((b) => b.subarray(0, b.length - 3))).toThrow(/the file is truncated/);
  expect(damaged((b) => b.subarray(0, 5))).toThrow(/it has 5 bytes/);
  expect(damaged((b) => b.writeBigUInt64LE(2n ** 60n))).toThrow(/header claims/);
  expect(damaged((b) => b.write('nonsense', 8))).toThrow(/not JSON/);
  expect(damaged((b) => Buffer.from(b.toString('latin1').replace('F32', 'F99'), 'latin1'))).toThrow(/dtype F99/);
  truncateSync(path, 0);
  expect(() => readSafetensors(path)).toThrow(CheckpointError);
  expect(() => readSafetensors(join(folder, 'absent'))).toThrow(/ENOENT/);
});
