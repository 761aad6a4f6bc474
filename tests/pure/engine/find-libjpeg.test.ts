import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findLibjpeg } from '../../../src/engine/find-libjpeg.js';
import { fakeProgram } from '../../support/fake-libtorch.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let scratch: string;
let cache: string;
let lines: string[];
/** Nothing works with an addon that does not load, so that every place is looked at. */
let addon: string;

beforeEach(() => {
  scratch = temporaryFolder();
  cache = join(scratch, 'cache');
  lines = [];
  addon = join(scratch, 'images.node');
});

const find = (env: NodeJS.ProcessEnv) =>
  findLibjpeg(addon, (line) => lines.push(line), { ...env, TESSERA_CACHE: cache });

describe('findLibjpeg', () => {
  it('goes on without when there is none and pip fails, in one line', async () => {
    const env = { ...process.env, TESSERA_PYTHON: fakeProgram(scratch, 'python', 'exit 2') };
    expect(await find(env)).toBeUndefined();
    expect(lines.at(-1)).toBe(
      'no libjpeg-turbo (pip ended with exit code 2; its messages are above): JPEG files are decoded by sharp, which takes longer',
    );
    expect(readdirSync(cache)).toEqual([]);
  });

  it('keeps library and licences of the wheel, and nothing else', async () => {
    const tree = join(scratch, 'tree');
    for (const folder of ['pillow.libs', 'pillow-13.0.0.dist-info/licenses', 'PIL'])
      mkdirSync(join(tree, folder), { recursive: true });
    for (const file of [
      'pillow.libs/libjpeg-6dc8d115.so.62.4.0',
      'pillow.libs/libtiff-20b7e810.so.6.3.0',
      'pillow-13.0.0.dist-info/licenses/LICENSE',
      'PIL/Image.py',
    ])
      writeFileSync(join(tree, file), '');
    const wheel = join(scratch, 'pillow-13.0.0-cp311.whl');
    execFileSync('python3', ['-m', 'zipfile', '-c', wheel, ...readdirSync(tree).map((name) => join(tree, name))]);
    // Asked where Pillow lies, this Python has none.
    const script = `
[ "$1" = -c ] && exit 0
while [ "$1" != --dest ]; do shift; done
cp '${wheel}' "$2"`;
    await find({ ...process.env, TESSERA_PYTHON: fakeProgram(scratch, 'python', script) });
    expect(lines[0]).toMatch(/^downloading libjpeg-turbo with pip: 7 MB/);
    const [copy] = readdirSync(cache);
    const files = readdirSync(join(cache, copy!), { recursive: true, encoding: 'utf8' });
    expect(files.filter((name) => /\.\w+$|LICENSE$/.test(name) && !/\.(?:libs|dist-info)$/.test(name)).sort()).toEqual([
      'pillow-13.0.0.dist-info/licenses/LICENSE',
      'pillow.libs/libjpeg-6dc8d115.so.62.4.0',
    ]);
  });

  it('refuses a TESSERA_LIBJPEG that cannot be used', async () => {
    const path = join(scratch, 'libjpeg.so.62');
    await expect(find({ ...process.env, TESSERA_LIBJPEG: path })).rejects.toThrow(
      `TESSERA_LIBJPEG=${path} should be libjpeg-turbo`,
    );
    expect(existsSync(cache)).toBe(false);
  });
});
