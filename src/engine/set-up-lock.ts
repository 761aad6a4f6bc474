import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processIsAlive } from '../support/process-is-alive.js';

interface Holder {
  readonly host: string;
  readonly pid: number;
}

const pollMs = 300;

/**
 * Runs `work` while holding a lock file, so that two set-ups at once do the work once. Waits for another holder and
 * takes over from one that has died. The lock only saves work: what is made under it appears by a rename anyway.
 */
export async function withLock<T>(file: string, log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  while (!take(file)) {
    const holder = readHolder(file);
    if (holder === undefined || (holder.host === hostname() && !processIsAlive(holder.pid))) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) log(`waiting for another set-up (process ${holder.pid} on ${holder.host}; its lock is ${file})`);
    told = true;
    await sleep(pollMs);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** A hard link is made only where nothing is yet, and the file is complete when its name appears. */
function take(file: string): boolean {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify({ host: hostname(), pid: process.pid } satisfies Holder));
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(mine);
  }
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}
