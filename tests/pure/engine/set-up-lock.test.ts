import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { withLock } from '../../../src/engine/set-up-lock.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let scratch: string;
let lock: string;

beforeEach(() => {
  scratch = temporaryFolder();
  lock = join(scratch, 'deep', 'lock');
});

describe('withLock', () => {
  it('lets one in at a time and says that the other waits', async () => {
    const order: string[] = [];
    const lines: string[] = [];
    const work = (name: string) => async () => {
      order.push(`${name} in`);
      await sleep(50);
      order.push(`${name} out`);
    };
    await Promise.all([
      withLock(lock, (line) => lines.push(line), work('first')),
      withLock(lock, (line) => lines.push(line), work('second')),
    ]);
    expect(order).toEqual(['first in', 'first out', 'second in', 'second out']);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`process ${process.pid}`);
  });

  it('takes over from a process that has died', async () => {
    const { pid } = spawnSync('true');
    await withLock(
      lock,
      () => {},
      async () => {},
    );
    writeFileSync(lock, JSON.stringify({ host: hostname(), pid }));
    expect(
      await withLock(
        lock,
        () => {},
        async () => 'done',
      ),
    ).toBe('done');
    expect(existsSync(lock)).toBe(false);
  });

  it('is free again after a failure', async () => {
    const failing = withLock(
      lock,
      () => {},
      async () => {
        throw new Error('no');
      },
    );
    await expect(failing).rejects.toThrow('no');
    expect(existsSync(lock)).toBe(false);
  });
});
