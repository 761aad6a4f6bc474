import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTorchFile } from '../../../../src/models/torch-file/read-torch-file.js';
import { flattenState, Inert, type TorchValue } from '../../../../src/models/torch-file/torch-value.js';
import { CheckpointError } from '../../../../src/support/errors.js';
import { Random } from '../../../../src/support/random.js';
import { liveTensors, Tensor } from '../../../../src/tensor/tensor.js';
import { goldensFolder, goldenTensors, withPrefix } from '../../../support/goldens.js';
import { temporaryFolder } from '../../../support/temporary-folder.js';
import { integer, pickle, tensorPickle, text, writeArchive } from '../../../support/torch-archives.js';

const golden = join(goldensFolder, 'capi_tiny.pth');
const bytesOf = (tensor: Tensor) => Buffer.from(tensor.data().buffer);
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** What a file with this pickle and storage `0` of four floats holds. */
async function read(bytes: Uint8Array): Promise<TorchValue> {
  const path = join(temporaryFolder(), 'file.pth');
  writeArchive(path, { 'data.pkl': bytes, 'data/0': floats(1, 2, 3, 4) });
  using file = await readTorchFile(path);
  return file.value instanceof Tensor ? file.value.numbers() : file.value;
}

/** The message and hint that a file is refused with. */
async function refusal(path: string): Promise<string> {
  const error = await readTorchFile(path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CheckpointError);
  return `${(error as CheckpointError).message} ${(error as CheckpointError).hint ?? ''}`;
}

async function refusalOf(bytes: Uint8Array): Promise<string> {
  const path = join(temporaryFolder(), 'file.pth');
  writeArchive(path, { 'data.pkl': bytes, 'data/0': floats(1, 2, 3, 4) });
  return refusal(path);
}

describe('a file that PyTorch wrote', () => {
  it('has the tensors that PyTorch put into it', async () => {
    using file = await readTorchFile(golden);
    const state = flattenState(file.value);
    const all = goldenTensors('capi_tiny');
    const expected = withPrefix(all, 'init.student.');
    expect([...state.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, tensor] of expected) {
      expect(state.get(name)!.shape).toEqual(tensor.shape);
      expect(bytesOf(state.get(name)!).equals(bytesOf(tensor))).toBe(true);
    }
    for (const tensor of all.values()) tensor.dispose();
  });

  it('is freed as a whole', async () => {
    const before = liveTensors().tensors;
    const file = await readTorchFile(golden);
    expect(liveTensors().tensors).toBe(before + file.tensors.length);
    file.dispose();
    expect(liveTensors().tensors).toBe(before);
  });

  const others = [
    ['mae_tiny.pth', 74],
    ['crossmae_tiny.pth', 55],
    ['dbot_tiny.pth', 38],
    ['maerefined_tiny.th', 54],
    ['data2vec2_tiny.pt', 48],
  ] as const;
  it.each(others)('%s is read', async (name, tensors) => {
    using file = await readTorchFile(join(goldensFolder, name));
    expect(flattenState(file.value).size).toBe(tensors);
    if (name !== 'data2vec2_tiny.pt') return;
    const config = (file.value as Map<string, TorchValue>).get('cfg') as Inert;
    expect(config.className).toBe('argparse.Namespace');
    expect((config.state as Map<string, TorchValue>).get('seed')).toBe(1);
  });
});

describe('values', () => {
  it('are plain data', async () => {
    const long = Buffer.concat([Buffer.of(0x8a, 9), Buffer.alloc(8), Buffer.of(1)]);
    const list = pickle(
      '(',
      'N',
      0x88,
      0x89,
      integer(-7),
      'K',
      200,
      'G',
      Buffer.from('4009000000000000', 'hex'),
      long,
      text('ü'),
      'l',
    );
    expect(await read(list)).toEqual([null, true, false, -7, 200, 3.125, 2n ** 64n, 'ü']);
    expect(await read(pickle('}(', text('a'), 'K', 1, text('b'), ')u'))).toEqual(
      new Map<string, TorchValue>([
        ['a', 1],
        ['b', []],
      ]),
    );
    expect(await read(pickle('ctorch\nSize\n(', integer(2), integer(3), 't', 0x85, 'R'))).toEqual([2, 3]);
    expect(await read(pickle('ctorch\ndevice\n(', text('cuda'), 'K', 1, 'tR'))).toBe('cuda:1');
  });

  it('views share storages with strides and offsets', async () => {
    expect(await read(pickle(tensorPickle({ key: '0', count: 4, shape: [2, 2], strides: [1, 2] })))).toEqual([
      1, 3, 2, 4,
    ]);
    expect(await read(pickle(tensorPickle({ key: '0', count: 4, offset: 1, shape: [2], strides: [2] })))).toEqual([
      2, 4,
    ]);
    expect(await read(pickle(tensorPickle({ key: '0', count: 4, shape: [2, 3], strides: [1, 0] })))).toEqual([
      1, 1, 1, 2, 2, 2,
    ]);
  });

  it('of unknown classes are shown and not run', async () => {
    const marker = join(temporaryFolder(), 'executed');
    const value = (await read(pickle('cposix\nsystem\n(', text(`touch ${marker}`), 'tR'))) as Inert;
    expect(value).toBeInstanceOf(Inert);
    expect(value.className).toBe('posix.system');
    expect(value.args).toEqual([`touch ${marker}`]);
    expect(existsSync(marker)).toBe(false);
  });

  it('of the state dict are found below the usual keys, by dotted names', async () => {
    const path = join(temporaryFolder(), 'file.pth');
    const weight = tensorPickle({ key: '0', count: 4, shape: [4], strides: [1] });
    writeArchive(path, {
      'data.pkl': pickle(
        '}(',
        text('epoch'),
        'K',
        3,
        text('state_dict'),
        '}(',
        text('w'),
        weight,
        text('a'),
        '}(',
        text('b'),
        weight,
        'uuu',
      ),
      'data/0': floats(1, 2, 3, 4),
    });
    using file = await readTorchFile(path);
    expect([...flattenState(file.value).keys()]).toEqual(['w', 'a.b']);
  });
});

describe('a hostile or damaged file is refused', () => {
  const view = (tensor: Parameters<typeof tensorPickle>[0]) => pickle(tensorPickle(tensor));
  const nested = Buffer.from(']'.repeat(200) + 'a'.repeat(199));
  const cases: [string, Buffer, string][] = [
    [
      'a tensor beyond its storage',
      view({ key: '0', count: 4, offset: 1, shape: [4], strides: [1] }),
      'reaches element 4',
    ],
    [
      'a negative stride',
      view({ key: '0', count: 4, shape: [2], strides: [-1] }),
      'without storage, offset, sizes or strides',
    ],
    ['elements repeated without end', view({ key: '0', count: 4, shape: [2 ** 30], strides: [0] }), '8 times'],
    ['a storage of another size', view({ key: '0', count: 5, shape: [5], strides: [1] }), 'expected 20 bytes'],
    [
      'a storage outside the archive',
      view({ key: '../../etc/passwd', count: 4, shape: [4], strides: [1] }),
      'expected a record',
    ],
    ['a list in itself', pickle(']q', 0, 'h', 0, 'a'), 'contains itself'],
    ['two lists in each other', pickle(']q', 0, ']q', 1, 'h', 0, 'ah', 1, 'h', 0, 'h', 1, 'a'), 'contains itself'],
    ['200 lists in one another', pickle(nested), 'nested more than 100'],
    ['three million values', pickle('N0'.repeat(1_500_000)), 'parts'],
    ['an empty pickle', pickle(), 'empty stack'],
    ['a text of 4 GB', pickle('X', Buffer.from('ffffffff', 'hex')), 'ends in the middle'],
    ['an integer of 2 GB', pickle(0x8b, Buffer.from('ffffff7f', 'hex')), 'up to 1024 bytes'],
    ['protocol 0', Buffer.from('(I1\ntR.'), 'protocol 2 to 5'],
    ['an extension code', pickle(0x82, 1), 'opcode 130'],
    ['a call of a number', pickle('K', 1, ')R'), 'calls something'],
    [
      'a long text in many names',
      pickle(text('n'.repeat(9000)), 'q', 0, Buffer.from('h\0h\0\x93'.repeat(10_000), 'latin1')),
      '9000 letters',
    ],
    ['a part that is not there', pickle('h', 7), 'part 7'],
    ['a device made of lists', pickle('ctorch\ndevice\n(]tR'), 'device'],
  ];
  it.each(cases)('%s', async (_, bytes, words) => {
    const before = liveTensors().tensors;
    expect(await refusalOf(bytes)).toContain(words);
    expect(liveTensors().tensors).toBe(before);
  });

  it('lists that share one another take no time', async () => {
    const doubled = Array.from({ length: 90 }, () => Buffer.concat([Buffer.from('2'), Buffer.of(0x86)]));
    const value = await read(pickle(']', ...doubled));
    expect(flattenState(value).size).toBe(0);
  });

  it('an archive that points beyond 2^53', async () => {
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50);
    locator.writeBigUInt64LE(1n << 60n, 8);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50);
    const path = join(temporaryFolder(), 'far.pth');
    writeFileSync(path, Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(100), locator, end]));
    expect(await refusal(path)).toContain('points beyond its end');
  });

  it('other kinds of file, with the next step', async () => {
    const path = join(temporaryFolder(), 'file.pth');
    expect(await refusal(path)).toContain('ENOENT');
    writeFileSync(path, '');
    expect(await refusal(path)).toContain('an empty file');
    writeFileSync(path, '<!DOCTYPE html>');
    expect(await refusal(path)).toContain('3c21444f');
    writeFileSync(path, pickle('N'));
    expect(await refusal(path)).toContain('does not begin as files of torch.save do');
    expect(await refusal(temporaryFolder())).toContain('no regular file');
    writeArchive(path, { 'data.pkl': pickle('N'), byteorder: Buffer.from('big') });
    expect(await refusal(path)).toContain('little-endian');
    writeArchive(path, { 'other.pkl': pickle('N') });
    expect(await refusal(path)).toContain('expected a record data.pkl');
  });

  it('truncated at any place', async () => {
    const bytes = readFileSync(golden);
    const path = join(temporaryFolder(), 'short.pth');
    for (let part = 0; part < 40; part++) {
      writeFileSync(path, bytes.subarray(0, Math.floor((bytes.length * part) / 40)));
      await refusal(path);
    }
  });
});

describe('one changed byte', () => {
  const bytes = readFileSync(golden);
  const directory = bytes.lastIndexOf(Buffer.from('PK\x06\x06', 'latin1')) - 6000;

  /** Reads a changed copy: it is refused, or the change was in bytes without meaning (padding, dates) and nothing differs. */
  async function expectRefusedOrEqual(path: string, original: ReadonlyMap<string, Tensor>): Promise<boolean> {
    try {
      using file = await readTorchFile(path);
      const state = flattenState(file.value);
      expect([...state.keys()]).toEqual([...original.keys()]);
      for (const [name, tensor] of original) expect(bytesOf(state.get(name)!).equals(bytesOf(tensor))).toBe(true);
      return false;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      return true;
    }
  }

  it.each([
    ['anywhere', 0, bytes.length],
    ['in the list of records', directory, bytes.length],
  ])('%s is noticed, or has no meaning', async (_, from, to) => {
    using file = await readTorchFile(golden);
    const original = flattenState(file.value);
    const path = join(temporaryFolder(), 'changed.pth');
    const random = Random.from(7, from);
    let refused = 0;
    for (let round = 0; round < 80; round++) {
      const changed = Buffer.from(bytes);
      changed[from + (random.uint32() % (to - from))]! ^= 1 + (random.uint32() % 255);
      writeFileSync(path, changed);
      if (await expectRefusedOrEqual(path, original)) refused++;
    }
    expect(refused).toBeGreaterThan(40);
  });

  it('in the pickle itself, with a checksum that fits, never does more than be refused or read', async () => {
    using file = await readTorchFile(golden);
    // In this file every tensor has a storage of its own, numbered in their order.
    const storages = Object.fromEntries(
      [...flattenState(file.value).values()].map((tensor, key) => [`data/${key}`, bytesOf(tensor)]),
    );
    const begin = bytes.indexOf(Buffer.from([0x80, 2]));
    const original = Buffer.from(bytes.subarray(begin, bytes.indexOf('PK', begin, 'latin1')));
    const random = Random.from(11);
    const path = join(temporaryFolder(), 'pickle.pth');
    writeArchive(path, { 'data.pkl': original, ...storages });
    (await readTorchFile(path)).dispose();
    let refused = 0;
    for (let round = 0; round < 300; round++) {
      const changed = Buffer.from(original);
      for (let change = 0; change <= round % 3; change++)
        changed[random.uint32() % changed.length] = random.uint32() % 256;
      writeArchive(path, { 'data.pkl': changed, ...storages });
      try {
        using changedFile = await readTorchFile(path);
        flattenState(changedFile.value);
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
