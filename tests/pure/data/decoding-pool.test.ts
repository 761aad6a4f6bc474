import { expect, it } from 'vitest';
import { DecodingPool } from '../../../src/data/decoding-pool.js';
import type { Task } from '../../../src/data/worker.js';

const settings = { views: [{ kind: 'resize', size: 4 } as const], seed: 0, native: undefined, keep: true };

it('rejects what runs, and what comes later, when a worker dies', async () => {
  const pool = new DecodingPool(2, settings);
  pool.hold(true);
  // No task at all is the one thing that a worker does not survive.
  const crash = pool.run([null as unknown as Task], new SharedArrayBuffer(48));
  await expect(crash).rejects.toThrow(/A decoding worker stopped: .*null/);
  await expect(pool.run([], new SharedArrayBuffer(48))).rejects.toThrow(/worker stopped/);
  await pool.close();
});

it('gives the reasons of failures and the images decoded by slot', async () => {
  const pool = new DecodingPool(1, settings);
  pool.hold(true);
  const scene = { kind: 'scene', seed: 0, split: 'train', index: 0, size: 16 } as const;
  const tasks: Task[] = [
    { slot: 0, position: 0, image: { kind: 'file', path: '/nowhere.jpg' } },
    { slot: 1, position: 1, image: scene },
  ];
  const images = new SharedArrayBuffer(96);
  const { failures, decoded } = await pool.run(tasks, images);
  expect(failures).toEqual([{ slot: 0, reason: expect.stringContaining('ENOENT') }]);
  expect(decoded).toMatchObject([{ slot: 1, image: { width: 16, height: 16 } }]);
  expect(decoded[0]!.image.pixels.byteLength).toBe(16 * 16 * 3);
  expect(new Uint8Array(images, 48).some((value) => value > 0)).toBe(true);
  await pool.close();
});
