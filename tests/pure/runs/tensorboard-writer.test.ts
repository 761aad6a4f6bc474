import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { crc32c } from '../../../src/runs/crc32c.js';
import { TensorBoardWriter } from '../../../src/runs/tensorboard-writer.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

test('CRC-32C has the value that RFC 3720 and every implementation give', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
});

test('files have the bytes that TensorBoard 2.21 was seen to read', () => {
  const writer = new TensorBoardWriter(temporaryFolder(), { clock: () => 1700000000.5 });
  writer.write(3, { loss: 2.5, lr: 0.001 });
  writer.close();
  expect(writer.path).toMatch(/\/events\.out\.tfevents\.1700000000\.[^/]+$/);
  // tensorboard.backend EventAccumulator read: loss [(3, 2.5)], lr [(3, 0.001)], wall time 1700000000.5.
  expect(readFileSync(writer.path).toString('hex')).toBe(
    '1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110' +
      '2500000000000000eabc36f30900002040fc54d94110032a180a0b0a046c6f737315000020400a090a026c72156f12833ac32a478c',
  );
});

test('a resumed run begins with a session start at its next step', () => {
  const writer = new TensorBoardWriter(temporaryFolder(), { clock: () => 1, resumedAt: 300 });
  writer.close();
  // Event { wall_time: 1, step: 301, session_log: { status: START } }
  expect(readFileSync(writer.path).toString('hex')).toContain('09000000000000f03f10ad023a020801');
});
