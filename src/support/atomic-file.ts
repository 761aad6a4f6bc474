import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { byteText } from './byte-text.js';
import { TesseraError } from './errors.js';
import { processIsAlive } from './process-is-alive.js';

/**
 * Writes a file so that a kill or a power cut at any instant leaves either the former content or the new one, never a
 * mixture: a temporary name in the same folder, fsync, rename, fsync of the folder.
 *
 * @throws TesseraError `STORAGE` with path, need and next step when the disk is full or the folder is not writable.
 */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  const partial = `${path}.partial-${process.pid}`;
  try {
    const file = openSync(partial, 'w');
    try {
      writeFileSync(file, data);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(partial, path);
    syncFolder(dirname(resolve(path)));
  } catch (cause) {
    discard(partial);
    throw storageError(cause, path, Buffer.byteLength(data));
  }
}

/**
 * The same for a file too large to hold in memory: `fill` writes it under the temporary name.
 *
 * @param bytes what `fill` is going to write, for the message when the disk is full.
 * @throws TesseraError `STORAGE`, or whatever `fill` throws; the former file is then still in place.
 */
export function fillFileAtomic(path: string, fill: (partial: string) => void, bytes?: number): void {
  const partial = `${path}.partial-${process.pid}`;
  try {
    fill(partial);
    const file = openSync(partial, 'r');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(partial, path);
    syncFolder(dirname(resolve(path)));
  } catch (cause) {
    discard(partial);
    throw storageError(cause, path, bytes);
  }
}

/**
 * Writes a folder (a checkpoint) so that under its name there is only ever a complete one. `fill` writes into
 * `NAME.partial-<pid>`; then every file and folder is synced and the folder renamed. A folder that has the name
 * already is moved aside to `NAME.replaced-<pid>` first and deleted last; `tidyFolders` finishes either move after a
 * kill.
 *
 * @param bytes what `fill` is going to write, for the message when the disk is full.
 * @throws TesseraError `STORAGE`, or whatever `fill` throws; the former folder is then still in place.
 */
export async function writeFolderAtomic(
  path: string,
  fill: (partial: string) => void | Promise<void>,
  bytes?: number,
): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  const replaced = `${path}.replaced-${process.pid}`;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await fill(partial);
    await syncTree(partial);
    const hadFormer = await renameIfPresent(path, replaced);
    await rename(partial, path).catch(async (cause) => {
      if (hadFormer) await rename(replaced, path);
      throw cause;
    });
    syncFolder(dirname(resolve(path)));
    if (hadFormer) await rm(replaced, { recursive: true, force: true });
  } catch (cause) {
    discard(partial);
    throw storageError(cause, path, bytes);
  }
}

/**
 * Clears what killed processes left beside atomic files and folders: half-written `.partial-<pid>` entries are
 * deleted, and a `NAME.replaced-<pid>` is put back where NAME is missing, deleted otherwise. Entries of other living
 * processes stay. Call it before the first write: entries carrying our own pid are taken for those of a dead namesake.
 */
export async function tidyFolders(parent: string): Promise<void> {
  const names = await readdir(parent);
  for (const name of names) {
    const match = /^(.+)\.(partial|replaced)-(\d+)$/.exec(name);
    if (!match) continue;
    const [, target, kind, pid] = match as unknown as [string, string, string, string];
    if (Number(pid) !== process.pid && processIsAlive(Number(pid))) continue;
    const path = join(parent, name);
    if (kind === 'replaced' && !names.includes(target)) await rename(path, join(parent, target));
    else await rm(path, { recursive: true, force: true });
  }
}

/**
 * A failed write as an error for people: the path, why, how much was needed and is free, and what to do.
 * Anything that is not an error of the file system is returned as it is.
 */
export function storageError(cause: unknown, path: string, bytes?: number): unknown {
  const code = systemCode(cause);
  if (code === undefined) return cause;
  const [reason, hint] = explain(code, path, bytes) ?? [(cause as Error).message, undefined];
  return new TesseraError('STORAGE', `cannot write ${path}: ${reason}`, { hint, cause });
}

function explain(code: string, path: string, bytes?: number): readonly [string, string] | undefined {
  const folder = dirname(resolve(path));
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT': {
      const what = code === 'ENOSPC' ? 'the disk is full' : 'your disk quota is used up';
      const need = bytes === undefined ? '' : `needs ${byteText(bytes)}, `;
      return [`${what} (${need}${freeText(folder)})`, `Free space under ${folder} or write to another folder.`];
    }
    case 'EACCES':
    case 'EPERM':
      return [
        `permission denied on ${hostname()}`,
        `Make ${folder} writable for this user, or write to a folder that is.`,
      ];
    case 'EROFS':
      return ['the file system is read-only', 'Write to another folder.'];
    case 'ENOENT':
      return [`the folder ${folder} does not exist`, `Create it first: mkdir -p ${folder}`];
    case 'ENOTDIR':
      return ['a part of the path is a file, not a folder', 'Choose another path.'];
    case 'EISDIR':
      return [`${basename(path)} is a folder`, 'Give the path of a file.'];
    default:
      return undefined;
  }
}

function freeText(folder: string): string {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return `${byteText(bavail * bsize)} free`;
  } catch {
    return 'free space unknown';
  }
}

function systemCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('syscall' in cause) || !('code' in cause)) return undefined;
  return String(cause.code);
}

function discard(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The error that brought us here is the one to report; tidyFolders removes the rest.
  }
}

async function renameIfPresent(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return false;
    throw cause;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncPath(path);
  }
  await syncPath(folder);
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
