import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { storageError, tidyFolders, writeFileAtomic, writeFolderAtomic } from '../../../src/support/atomic-file.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const built = new URL('../../../dist/support/atomic-file.js', import.meta.url);

test('a file that is killed while being replaced over and over is always one whole content', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'status.json');
  const script = `
    const { writeFileAtomic } = await import(${JSON.stringify(built.href)});
    for (let i = 0; ; i++) writeFileAtomic(${JSON.stringify(path)}, String(i % 10).repeat(2_000_000));`;
  let survivors = 0;
  for (let round = 0; round < 5 || (survivors === 0 && round < 20); round++) {
    // A file of the round before would hide that this child has not begun yet.
    rmSync(path, { force: true });
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    const ended = once(child, 'exit');
    while (!existsSync(path)) await wait(5);
    await wait(round * 7);
    child.kill('SIGKILL');
    await ended;
    expect(readFileSync(path, 'utf8')).toMatch(/^(\d)\1{1999999}$/);
    survivors += readdirSync(folder).length - 1;
    await tidyFolders(folder);
    expect(readdirSync(folder)).toEqual(['status.json']);
  }
  // Were no kill ever inside a write, this test would show nothing.
  expect(survivors).toBeGreaterThan(0);
}, 30_000);

test('a folder appears whole and under its name only at the end', async () => {
  const path = join(temporaryFolder(), 'step-5');
  await writeFolderAtomic(path, (partial) => {
    expect(existsSync(path)).toBe(false);
    mkdirSync(join(partial, 'inner'));
    writeFileSync(join(partial, 'inner', 'a'), 'new');
  });
  expect(readFileSync(join(path, 'inner', 'a'), 'utf8')).toBe('new');
  expect(readdirSync(join(path, '..'))).toEqual(['step-5']);
});

test('a folder that cannot be filled leaves the former one and nothing else', async () => {
  const path = join(temporaryFolder(), 'step-5');
  await writeFolderAtomic(path, (partial) => writeFileSync(join(partial, 'a'), 'former'));
  const failing = writeFolderAtomic(path, (partial) => {
    writeFileSync(join(partial, 'a'), 'half');
    throw new Error('no more');
  });
  await expect(failing).rejects.toThrow('no more');
  expect(readFileSync(join(path, 'a'), 'utf8')).toBe('former');
  expect(readdirSync(join(path, '..'))).toEqual(['step-5']);
});

test('a folder is replaced by the new one', async () => {
  const path = join(temporaryFolder(), 'step-5');
  await writeFolderAtomic(path, (partial) => writeFileSync(join(partial, 'old'), ''));
  await writeFolderAtomic(path, (partial) => writeFileSync(join(partial, 'new'), ''));
  expect(readdirSync(path)).toEqual(['new']);
  expect(readdirSync(join(path, '..'))).toEqual(['step-5']);
});

test('tidying puts back what a kill left moved aside and keeps what living processes write', async () => {
  const folder = temporaryFolder();
  const gone = 2 ** 22 + 1;
  for (const name of [`step-1.replaced-${gone}`, 'step-2', `step-2.replaced-${gone}`, `step-3.partial-${gone}`]) {
    mkdirSync(join(folder, name));
  }
  mkdirSync(join(folder, `step-4.partial-${process.ppid}`));
  await tidyFolders(folder);
  expect(readdirSync(folder).sort()).toEqual(['step-1', 'step-2', `step-4.partial-${process.ppid}`]);
});

test('a full disk and a closed door are told with path, need and next step', () => {
  const folder = temporaryFolder();
  const systemError = (code: string) => Object.assign(new Error(code), { code, syscall: 'write' });
  expect(storageError(systemError('ENOSPC'), join(folder, 'x'), 3_000_000_000)).toMatchObject({
    code: 'STORAGE',
    message: expect.stringMatching(/^cannot write .*\/x: the disk is full \(needs 3 GB, [\d.]+ \w+ free\)$/),
    hint: `Free space under ${folder} or write to another folder.`,
  });
  expect(storageError(systemError('EACCES'), join(folder, 'x'))).toMatchObject({
    message: expect.stringContaining('permission denied'),
    hint: expect.stringContaining(folder),
  });
  const other = new TypeError('a bug');
  expect(storageError(other, 'x')).toBe(other);
});

test('a file in a folder that does not exist says so', () => {
  const folder = join(temporaryFolder(), 'nowhere');
  expect(() => writeFileAtomic(join(folder, 'x'), 'text')).toThrow(`the folder ${folder} does not exist`);
});
