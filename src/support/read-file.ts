import { openSync, readSync, statSync } from 'node:fs';

/** One call of the system reads at most 2^31 - 1 bytes. */
const CHUNK = 2 ** 30;

/**
 * A descriptor of a file for reading, which the caller closes.
 * @throws {Error} it cannot be opened, or is a folder, a device or a pipe, which might never end.
 */
export function openRegularFile(path: string): number {
  if (!statSync(path).isFile()) throw new Error('it is no regular file');
  return openSync(path, 'r');
}

/** Fills `target` with the bytes of a file from `position` on, and gives how many there were: fewer where it ends. */
export function readFully(file: number, target: Uint8Array, position: number): number {
  let done = 0;
  while (done < target.length) {
    const count = readSync(file, target, done, Math.min(CHUNK, target.length - done), position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
