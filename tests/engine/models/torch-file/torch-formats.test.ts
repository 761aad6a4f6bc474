import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTorchFile } from '../../../../src/models/torch-file/read-torch-file.js';
import { flattenState, Inert, type TorchValue } from '../../../../src/models/torch-file/torch-value.js';
import { CheckpointError } from '../../../../src/support/errors.js';
import { Random } from '../../../../src/support/random.js';
import * as ops from '../../../../src/tensor/ops.generated.js';
import { liveTensors, scope, type Tensor } from '../../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../../support/temporary-folder.js';
import { integer, pickle, tensorPickle, text } from '../../../support/torch-archives.js';

const fixtures = join(import.meta.dirname, '../../../fixtures/torch-files');
const legacy = join(fixtures, 'legacy.pth');

/** A value by the keys of dictionaries and the numbers of lists. */
function at(value: TorchValue, ...keys: (string | number)[]): TorchValue {
  return keys.reduce<TorchValue>((inner, key) => {
    if (inner instanceof Inert) return at(inner.state ?? null, key);
    return inner instanceof Map ? inner.get(key)! : (inner as TorchValue[])[key as number]!;
  }, value);
}

const numbers = (tensor: Tensor | undefined) =>
  tensor === undefined ? [] : scope(() => [...ops.to(tensor, 'float64').numbers()]);
const className = (value: TorchValue) => (value instanceof Inert ? value.className : undefined);

describe.each(['legacy.pth', 'archive.pth'])('%s, written by PyTorch', (name) => {
  it('has tensors of every type that the engine uses, views and parameters', async () => {
    const before = liveTensors().tensors;
    {
      using file = await readTorchFile(join(fixtures, name));
      const state = flattenState(file.value);
      const whole = ['float32', 'float64', 'float16', 'bfloat16', 'int8', 'int16', 'int32', 'int64', 'uint8'];
      for (const dtype of [...whole, 'bool']) {
        expect([dtype, state.get(dtype)?.dtype, state.get(dtype)?.shape]).toEqual([dtype, dtype, [2, 3]]);
        expect(numbers(state.get(dtype))).toEqual(dtype === 'bool' ? [0, 1, 1, 1, 1, 1] : [0, 1, 2, 3, 4, 5]);
      }
      expect(state.get('transposed')?.shape).toEqual([3, 2]);
      expect(numbers(state.get('transposed'))).toEqual([0, 3, 1, 4, 2, 5]);
      expect(numbers(state.get('part'))).toEqual([4, 5]);
      expect(numbers(state.get('parameter'))).toEqual([0.5, -2]);
      expect([state.get('scalar')?.shape, numbers(state.get('scalar'))]).toEqual([[], [7]]);
      expect([state.get('empty')?.shape, numbers(state.get('empty'))]).toEqual([[0, 4], []]);
      expect(state.size).toBe(15);
    }
    expect(liveTensors().tensors).toBe(before);
  });

  it('shows everything else and runs nothing of it', async () => {
    using file = await readTorchFile(join(fixtures, name));
    const { value } = file;
    expect(at(value, 'epoch')).toBe(3);
    expect(className(at(value, 'args'))).toBe('argparse.Namespace');
    expect(at(value, 'args', 'lr')).toBe(0.1);
    expect(className(at(value, 'args', 'out'))).toBe('pathlib.PosixPath');
    expect(className(at(value, 'config'))).toBe('omegaconf.dictconfig.DictConfig');
    const sizes = at(value, 'config', '_content', 'train', '_content', 'sizes', '_content');
    expect((sizes as TorchValue[]).map((size) => at(size, '_val'))).toEqual([96, 224]);
    expect((at(value, 'numpy') as TorchValue[]).map(className)).toEqual([
      'numpy._core.multiarray.scalar',
      'numpy._core.multiarray._reconstruct',
      'numpy.dtype',
    ]);
    expect(className(at(value, 'torch', 0))).toBe('torch.float16');
    expect(at(value, 'torch', 1)).toBe('cuda:1');
    expect(at(value, 'torch', 2)).toEqual([2, 3]);
    expect((at(value, 'default') as Inert).entries).toEqual(new Map([['a', [1]]]));
    expect(className(at(value, 'network'))).toBe('torch.nn.modules.linear.Linear');
    for (const key of ['complex', 'sparse', 'quantized']) expect(at(value, key)).toBeInstanceOf(Inert);
  });
});

it('types newer than the engine uses are shown', async () => {
  using file = await readTorchFile(join(fixtures, 'archive.pth'));
  for (const key of ['float8', 'uint16'])
    expect(className(at(file.value, key))).toBe('torch._utils._rebuild_tensor_v3');
});

it('a file without checksums is read', async () => {
  using file = await readTorchFile(join(fixtures, 'without-checksums.pth'));
  expect(numbers(flattenState(file.value).get('weight'))).toEqual([0, 1, 2]);
});

describe('the format before PyTorch 1.6', () => {
  const magic = pickle(0x8a, 10, Buffer.from('6cfc9c46f9206aa85019', 'hex'));
  const head = Buffer.concat([magic, pickle('M', Buffer.of(0xe9, 3)), pickle('}')]);
  const weight = (count: number, size = count) => tensorPickle({ key: '0', count, shape: [size], strides: [1] });
  const keys = (...names: string[]) => pickle('](', ...names.map(text), 'e');
  const storage = (count: bigint, ...values: number[]) =>
    Buffer.concat([Buffer.from(BigInt64Array.of(count).buffer), Buffer.from(Float32Array.from(values).buffer)]);

  async function attempt(...parts: Buffer[]): Promise<string> {
    const path = join(temporaryFolder(), 'file.pth');
    writeFileSync(path, Buffer.concat(parts));
    try {
      using file = await readTorchFile(path);
      return numbers(file.tensors[0]).join(' ');
    } catch (error) {
      expect(error).toBeInstanceOf(CheckpointError);
      return (error as Error).message;
    }
  }

  it('is read as written by hand', async () => {
    expect(await attempt(head, pickle(weight(2)), keys('0'), storage(2n, 5, 6))).toBe('5 6');
  });

  it.each<[string, Buffer[], string]>([
    ['another version', [magic, pickle('K', 1), pickle('}')], 'version 1001'],
    ['a storage of another size', [pickle(weight(2)), keys('0'), storage(3n, 5, 6, 7)], 'expected 2 elements'],
    ['a negative size', [pickle(weight(2)), keys('0'), storage(-2n, 5, 6)], 'found -2'],
    ['an end within a storage', [pickle(weight(2)), keys('0'), storage(2n, 5)], 'claims to end at byte'],
    ['a storage of a petabyte', [pickle(weight(2 ** 31 - 1)), keys('0'), storage(2n ** 31n - 1n, 5)], 'claims to end'],
    ['a storage without data', [pickle(weight(2)), keys()], 'expected a storage 0 of 8 bytes, found none'],
    ['a storage without tensor', [pickle('N'), keys('7'), storage(2n, 5, 6)], 'no tensor uses'],
    ['two sizes of a storage', [pickle('(', weight(2), weight(3, 2), 't'), keys('0'), storage(2n, 5, 6)], 'two sizes'],
    ['a storage among the keys', [pickle('N'), pickle(weight(2))], 'where there can be none'],
    ['a tensor beyond its storage', [pickle(weight(2, 3)), keys('0'), storage(2n, 5, 6)], 'reaches element 2'],
    [
      'an unknown storage class',
      [pickle('((', text('storage'), 'cos\nsystem\n', text('0'), text('cpu'), integer(1), 'tQt')],
      'unknown type os.system',
    ],
  ])('%s is refused', async (_, parts, words) => {
    const before = liveTensors().tensors;
    const whole = parts[0]!.subarray(0, magic.length).equals(magic) ? parts : [head, ...parts];
    expect(await attempt(...whole)).toContain(words);
    expect(liveTensors().tensors).toBe(before);
  });

  it('truncated anywhere is refused', async () => {
    const bytes = readFileSync(legacy);
    for (let part = 0; part < 60; part++) {
      const message = await attempt(bytes.subarray(0, 1 + Math.floor(((bytes.length - 1) * part) / 60)));
      expect(message).toMatch(/cannot be read as a PyTorch file|Expected a PyTorch file/);
    }
  });

  it('with changed bytes is refused, or read', async () => {
    const bytes = readFileSync(legacy);
    const random = Random.from(5);
    let refused = 0;
    for (let round = 0; round < 200; round++) {
      const changed = Buffer.from(bytes);
      for (let change = 0; change <= round % 3; change++)
        changed[random.uint32() % changed.length] = random.uint32() % 256;
      if ((await attempt(changed)).includes('cannot be read')) refused++;
    }
    expect(refused).toBeGreaterThan(30);
  });
});
