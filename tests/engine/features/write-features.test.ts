import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { type FeatureTable, writeFeatures } from '../../../src/features/write-features.js';
import { readSafetensors } from '../../../src/tensor/safetensors.js';
import { Tensor } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const quarters = Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25);
const table: FeatureTable = {
  features_ND: Tensor.from(quarters, [3, 2]),
  names: ['a/1.jpg', 'b/ü.jpg', 'b/3.jpg'],
  labels: Int32Array.of(0, 1, 1),
  classes: ['a', 'b'],
};

describe('writeFeatures', () => {
  it('writes what NumPy writes', () => {
    const path = join(temporaryFolder(), 'f.npy');
    expect(writeFeatures(path, table)).toEqual([path, `${path}.tsv`]);
    // numpy.save of arange(6, dtype '<f4').reshape(3, 2) / 4, NumPy 2.
    const numpy =
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsIDIpLCB9' +
      `ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAACAPgAAAD8AAEA/AACAPwAAoD8=`;
    expect(readFileSync(path).toString('base64')).toBe(numpy);
    expect(readFileSync(`${path}.tsv`, 'utf8')).toBe(
      'name\tlabel\tclass\na/1.jpg\t0\ta\nb/ü.jpg\t1\tb\nb/3.jpg\t1\tb\n',
    );
  });

  it('writes safetensors with labels', () => {
    const path = join(temporaryFolder(), 'f.safetensors');
    writeFeatures(path, table);
    const read = readSafetensors(path);
    expect([...read.keys()]).toEqual(['features', 'labels']);
    expect(read.get('features')!.shape).toEqual([3, 2]);
    expect(read.get('features')!.numbers()).toEqual([...quarters]);
    expect(read.get('labels')!.dtype).toBe('int64');
    expect(read.get('labels')!.numbers()).toEqual([0, 1, 1]);
    for (const tensor of read.values()) tensor.dispose();
  });

  it('writes parquet with a list of floats', async () => {
    const path = join(temporaryFolder(), 'f.parquet');
    expect(writeFeatures(path, table)).toEqual([path]);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
    expect(rows).toEqual([
      { name: 'a/1.jpg', label: 0, class: 'a', features: [0, 0.25] },
      { name: 'b/ü.jpg', label: 1, class: 'b', features: [0.5, 0.75] },
      { name: 'b/3.jpg', label: 1, class: 'b', features: [1, 1.25] },
    ]);
  });

  it('writes many rows without labels', async () => {
    const folder = temporaryFolder();
    const features_ND = Tensor.from(
      Float32Array.from({ length: 2500 }, (_, i) => i),
      [2500, 1],
    );
    const names = Array.from({ length: 2500 }, (_, i) => `${i}.jpg`);
    writeFeatures(join(folder, 'f.parquet'), { features_ND, names });
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, 'f.parquet')) });
    expect(rows).toHaveLength(2500);
    expect(rows[2499]).toEqual({ name: '2499.jpg', features: [2499] });
    writeFeatures(join(folder, 'f.npy'), { features_ND, names });
    const bytes = readFileSync(join(folder, 'f.npy'));
    expect(bytes.readFloatLE(bytes.length - 4)).toBe(2499);
    expect(bytes.length).toBe(128 + 4 * 2500);
    expect(readFileSync(join(folder, 'f.npy.tsv'), 'utf8').split('\n').slice(0, 2)).toEqual(['name', '0.jpg']);
    features_ND.dispose();
  });

  it('leaves nothing behind when it fails', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'f.safetensors'));
    expect(() => writeFeatures(join(folder, 'f.safetensors'), table)).toThrow();
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
    expect(() => writeFeatures(join(folder, 'f.csv'), table)).toThrow(/ending in/);
  });
});
