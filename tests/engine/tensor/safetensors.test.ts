import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/support/errors.js';
import { readSafetensors, readSafetensorsIndex, writeSafetensors } from '../../../src/tensor/safetensors.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
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

describe('a hostile header is refused', () => {
  let path: string;
  beforeEach(() => {
    path = join(temporaryFolder(), 'hostile.safetensors');
  });
  const write = (header: string, data = 8) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
    writeFileSync(path, Buffer.concat([length, Buffer.from(header), Buffer.alloc(data)]));
  };
  const entry = (shape: string, begin: number, end: number, dtype = 'F32') =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;
  const one = entry('[2]', 0, 8);

  it('and a usual one is read', () => {
    write(`{"a":${entry('[1]', 4, 8)}, "\\"b\\":" : ${entry('[1]', 0, 4)},"none":${entry('[0, 3]', 4, 4)}}   `);
    expect(scope(() => [...readSafetensors(path).keys()])).toEqual(['a', '"b":', 'none']);
  });

  it.each<[string, string, RegExp]>([
    ['two tensors in the same bytes', `{"a":${one},"b":${one}}`, /overlap or leave a gap/],
    ['tensors that share a byte', `{"a":${entry('[4]', 0, 4, 'U8')},"b":${entry('[5]', 3, 8, 'U8')}}`, /overlap/],
    ['bytes between tensors', `{"a":${entry('[1]', 0, 1, 'U8')},"b":${entry('[1]', 4, 8)}}`, /leave a gap/],
    ['bytes behind the last tensor', `{"a":${entry('[1]', 0, 4)}}`, /4 bytes behind/],
    ['a name twice', `{"a":${one},"a":${one}}`, /a name twice/],
    ['a name twice, once with an escape', `{"a":${one},"\\u0061":${one}}`, /a name twice/],
    ['a shape twice', `{"a":{"shape":[9],${one.slice(1)}}`, /a name twice/],
    ['an end beyond the file', `{"a":${entry('[4]', 0, 16)}}`, /truncated/],
    ['an end before the beginning', `{"a":${entry('[2]', 8, 0)}}`, /should take 8 bytes/],
    ['a shape that overflows', `{"a":${entry('[4294967296,4294967296,0]', 0, 0)}}`, /can be counted/],
    ['a shape with infinity', `{"a":${entry('[1e999]', 0, 8)}}`, /no valid shape/],
    ['a negative shape', `{"a":${entry('[-2,-1]', 0, 8)}}`, /no valid shape/],
    ['a thousand axes', `{"a":${entry(JSON.stringify(Array(1000).fill(1)), 0, 4)}}`, /no valid shape/],
    ['an offset that is a text', `{"a":${one.replace('[0,8]', '["0",8]')}}`, /no valid offsets/],
    ['an entry that is nothing', '{"a":null}', /dtype undefined/],
    ['a list', '[]', /not an object/],
    ['nothing', 'null', /not an object/],
    ['metadata of numbers', `{"__metadata__":{"a":1},"a":${one}}`, /metadata/],
    ['a million brackets', '['.repeat(1e6), /not JSON/],
    ['a name of a million letters that does not end', `{"${'a'.repeat(1e6)}`, /not JSON/],
  ])('%s', (_, header, reason) => {
    write(header);
    const before = liveTensors().tensors;
    expect(() => readSafetensors(path)).toThrow(reason);
    expect(() => readSafetensors(path)).toThrow(CheckpointError);
    expect(liveTensors().tensors).toBe(before);
  });

  it('names of millions of letters take no time', () => {
    const name = 'a\\n'.repeat(5e6);
    write(`{"${name}":${one}}`);
    expect(scope(() => readSafetensors(path).size)).toBe(1);
  });

  it('a header longer than any real one', () => {
    write(`{"a":${one}}`.padEnd(17 * 2 ** 20));
    expect(() => readSafetensors(path)).toThrow(/header claims/);
  });

  it('a folder, or a device', () => {
    expect(() => readSafetensors(temporaryFolder())).toThrow(/no regular file/);
    expect(() => readSafetensors('/dev/zero')).toThrow(/no regular file/);
  });
});
