import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Entry, open, type ZipFile } from 'yauzl';
import { packageRoot } from './folders.js';

/** What is taken of wheels, and how they are fetched. */
export interface WheelOptions {
  readonly env: NodeJS.ProcessEnv;
  /** The files that stay have a name that one of these finds. */
  readonly kept: readonly RegExp[];
  /** More arguments for pip. */
  readonly pip?: readonly string[];
  readonly onDownloaded?: () => void;
}

/**
 * Downloads the wheels of a requirements file in `native/` and makes a folder of the files that are kept, which appears at
 * once, complete, in the place of an earlier one.
 * @returns why pip brought nothing, in words; undefined when the folder is there
 */
export async function installWheels(
  requirements: string,
  target: string,
  { env, kept, pip, onDownloaded }: WheelOptions,
): Promise<string | undefined> {
  const temporary = await mkdtemp(`${target}.part-`);
  try {
    const { wheels, failure } = await downloadWheels(requirements, temporary, env, pip);
    if (failure !== undefined) return failure;
    onDownloaded?.();
    const copy = join(temporary, 'copy');
    for (const wheel of wheels) await unpackWheel(wheel, copy, (name) => kept.some((pattern) => pattern.test(name)));
    await rm(target, { recursive: true, force: true });
    await rename(copy, target);
    return undefined;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** What pip brought: paths of wheels, or why there are none, in words. */
interface Download {
  readonly wheels: string[];
  readonly failure?: string;
}

/**
 * Downloads the wheels of a requirements file in `native/`, for Linux and Python 3.11 whatever the local one, with pip
 * (`TESSERA_PYTHON`, else `python3`), which checks their hashes; its mirror and proxy settings count, and its messages go to
 * standard error. Throws nothing.
 */
async function downloadWheels(
  requirements: string,
  folder: string,
  env: NodeJS.ProcessEnv,
  more: readonly string[] = [],
): Promise<Download> {
  const python = env.TESSERA_PYTHON || 'python3';
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--python-version',
    '311',
    '--only-binary=:all:',
    '--require-hashes',
  ];
  // pip's own temporary folder and cache would put the wheels on two more disks.
  args.push('--no-cache-dir', '--disable-pip-version-check', ...more, '--dest', folder);
  args.push('-r', join(packageRoot, 'native', requirements));
  const code = await new Promise<number>((settle) => {
    const child = spawn(python, args, { env: { ...env, TMPDIR: folder }, stdio: ['ignore', 2, 2] });
    child.on('error', () => settle(127));
    child.on('close', (status) => settle(status ?? 1));
  });
  if (code === 127) return { wheels: [], failure: `${python} was not found` };
  if (code !== 0) return { wheels: [], failure: `pip ended with exit code ${code}; its messages are above` };
  return { wheels: (await readdir(folder)).filter((name) => name.endsWith('.whl')).map((name) => join(folder, name)) };
}

/** Unpacks the files of one wheel that are `kept`. pip has checked its hash, and yauzl refuses names that leave the folder. */
async function unpackWheel(wheel: string, target: string, kept: (name: string) => boolean): Promise<void> {
  const zip = await new Promise<ZipFile>((settle, fail) => {
    open(wheel, { lazyEntries: true }, (error, file) => (error ? fail(error) : settle(file)));
  });
  const extract = async (entry: Entry) => {
    if (entry.fileName.endsWith('/') || !kept(entry.fileName)) return;
    const file = join(target, entry.fileName);
    await mkdir(dirname(file), { recursive: true });
    const content = await new Promise<Readable>((settle, fail) => {
      zip.openReadStream(entry, (error, stream) => (error ? fail(error) : settle(stream)));
    });
    await pipeline(content, createWriteStream(file));
  };
  await new Promise<void>((done, fail) => {
    zip.on('end', done).on('error', fail);
    zip.on('entry', (entry: Entry) => extract(entry).then(() => zip.readEntry(), fail));
    zip.readEntry();
  });
}
