import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runProgram } from '../../../../src/engine/run-program.js';
import { readTorchFile } from '../../../../src/models/torch-file/read-torch-file.js';
import { flattenState } from '../../../../src/models/torch-file/torch-value.js';
import { writeTorchFile } from '../../../../src/models/torch-file/write-torch-file.js';
import { Tensor } from '../../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../../support/temporary-folder.js';

function sampleState(): Map<string, Tensor> {
  return new Map([
    ['weight', Tensor.from(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])],
    ['ids', Tensor.from(BigInt64Array.of(1n, -5n), [2])],
    ['mask', Tensor.from(Uint8Array.of(1, 0, 1), [3], 'bool')],
    ['half', Tensor.from(Uint16Array.of(0x3c00), [], 'float16')],
    ['brain.ü', Tensor.from(Uint16Array.of(0x3f80, 0), [1, 2], 'bfloat16')],
    ['none', Tensor.from(new Float64Array(0), [0, 3])],
  ]);
}

it('gives back what was written', async () => {
  const folder = temporaryFolder();
  const state = sampleState();
  writeTorchFile(join(folder, 'file.pth'), state);
  expect(readdirSync(folder)).toEqual(['file.pth']);
  using file = await readTorchFile(join(folder, 'file.pth'));
  const read = flattenState(file.value);
  expect([...read.keys()]).toEqual([...state.keys()]);
  for (const [name, tensor] of state) {
    expect(read.get(name)!.shape).toEqual(tensor.shape);
    expect(read.get(name)!.dtype).toBe(tensor.dtype);
    expect(read.get(name)!.data()).toEqual(tensor.data());
  }
});

it('lays records out as PyTorch does', () => {
  const path = join(temporaryFolder(), 'file.pth');
  writeTorchFile(path, new Map([['w', Tensor.from(Float32Array.of(1, 2), [2])]]));
  const bytes = readFileSync(path);
  const records = new Map<string, { start: number; data: Buffer }>();
  for (let at = 0; bytes.readUInt32LE(at) === 0x04034b50; ) {
    const [size, name, extra] = [bytes.readUInt32LE(at + 18), bytes.readUInt16LE(at + 26), bytes.readUInt16LE(at + 28)];
    expect(bytes.readUInt16LE(at + 8), 'stored').toBe(0);
    const start = at + 30 + name + extra;
    records.set(bytes.toString('latin1', at + 30, at + 30 + name), {
      start,
      data: bytes.subarray(start, start + size),
    });
    at = start + size;
  }
  expect([...records.keys()]).toEqual(['archive/data.pkl', 'archive/byteorder', 'archive/data/0', 'archive/version']);
  for (const { start } of records.values()) expect(start % 64).toBe(0);
  expect(records.get('archive/version')!.data.toString()).toBe('3\n');
  expect(records.get('archive/data/0')!.data.toString('hex')).toBe('0000803f00000040');
  // torch.load(weights_only=True) of PyTorch 2.11 has read exactly these bytes.
  expect(records.get('archive/data.pkl')!.data.toString('hex')).toBe(
    Buffer.concat([
      Buffer.from('\x80\x02ccollections\nOrderedDict\n)R(X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(', 'latin1'),
      Buffer.from('(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ\x02\0\0\0tQ', 'latin1'),
      Buffer.from('J\0\0\0\0(J\x02\0\0\0t(J\x01\0\0\0t\x89ccollections\nOrderedDict\n)RtRu.', 'latin1'),
    ]).toString('hex'),
  );
});

it('is read by PyTorch, where TESSERA_PEER_PYTHON names a Python that has it', async () => {
  const python = process.env.TESSERA_PEER_PYTHON;
  if (!python) return console.log('skipped: TESSERA_PEER_PYTHON is not set');
  const path = join(temporaryFolder(), 'file.pth');
  writeTorchFile(path, sampleState());
  const program = `
import torch
for load in (dict(), dict(mmap=True)):
    s = torch.load(${JSON.stringify(path)}, weights_only=True, **load)
    print(type(s).__name__, [(k, str(v.dtype), v.tolist()) for k, v in s.items()])`;
  const { code, output } = await runProgram(python, ['-c', program]);
  const line =
    "OrderedDict [('weight', 'torch.float32', [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), ('ids', 'torch.int64', [1, -5]), " +
    "('mask', 'torch.bool', [True, False, True]), ('half', 'torch.float16', 1.0), ('brain.ü', 'torch.bfloat16', [[1.0, 0.0]]), " +
    "('none', 'torch.float64', [])]\n";
  expect(output).toBe(line + line);
  expect(code).toBe(0);
});
