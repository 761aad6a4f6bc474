import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { installLibtorch } from '../../../src/engine/install-libtorch.js';
import { chooseLibtorch, lookForLibtorch, privateCopy } from '../../../src/engine/locate-libtorch.js';
import { fakeLibtorch, fakeProgram } from '../../support/fake-libtorch.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let scratch: string;
let cache: string;
let lines: string[];

beforeEach(() => {
  scratch = temporaryFolder();
  cache = join(scratch, 'cache');
  lines = [];
});

/** `pip download` that copies a wheel with a small torch in it, and writes down its arguments. */
function fakePip(): NodeJS.ProcessEnv {
  const tree = join(scratch, 'tree');
  fakeLibtorch(join(tree, 'torch'), '2.11.0+cu130', { cuda: true });
  writeFileSync(join(tree, 'torch', 'include', 'ATen', 'ATen.h'), '#pragma once\n');
  writeFileSync(join(tree, 'torch', 'lib', 'libtorch_python.so'), '');
  const wheel = join(scratch, 'torch-2.11.0-cp311.whl');
  execFileSync('python3', ['-m', 'zipfile', '-c', wheel, join(tree, 'torch')]);
  const script = `
echo "$@" > '${join(scratch, 'arguments')}'
while [ "$1" != --dest ]; do shift; done
cp '${wheel}' "$2"`;
  return { ...process.env, TESSERA_CACHE: cache, TESSERA_PYTHON: fakeProgram(scratch, 'python', script) };
}

const install = (env: NodeJS.ProcessEnv) => installLibtorch((line) => lines.push(line), env);

describe('installLibtorch', () => {
  it('keeps what a CPU run needs, and nothing else stays behind', async () => {
    const env = fakePip();
    mkdirSync(join(cache, 'libtorch-2.11.0-cpu.part-killed'), { recursive: true });
    await install(env);
    expect(readdirSync(cache)).toEqual(['libtorch-2.11.0-cpu']);
    const root = join(privateCopy(env), 'torch');
    expect(readdirSync(join(root, 'lib')).sort()).toEqual(['libc10.so', 'libgomp.so.1', 'libtorch_cpu.so']);
    expect(existsSync(join(root, 'include', 'ATen', 'ATen.h'))).toBe(true);
    const places = lookForLibtorch({ PATH: scratch, TESSERA_CACHE: cache });
    expect(chooseLibtorch(places)).toEqual({ root, version: '2.11.0+cu130', origin: 'cache', cuda: false });
    expect(lines[0]).toMatch(/downloading libtorch 2\.11\.0 with pip: 544 MB/);
  });

  it('leaves a complete copy alone and makes a broken one again', async () => {
    const env = fakePip();
    const root = fakeLibtorch(join(privateCopy(env), 'torch'), '2.11.0');
    await install(env);
    expect(lines).toEqual([]);
    execFileSync('rm', [join(root, 'lib', 'libtorch_cpu.so')]);
    await install(env);
    expect(existsSync(join(root, 'lib', 'libtorch_cpu.so'))).toBe(true);
  });

  it('says what failed and leaves nothing behind', async () => {
    const failing = fakeProgram(scratch, 'failing', 'exit 2');
    const env = { ...process.env, TESSERA_CACHE: cache, TESSERA_PYTHON: failing };
    await expect(install(env)).rejects.toThrow('pip ended with exit code 2');
    expect(readdirSync(cache)).toEqual([]);
    const missing = { ...env, TESSERA_PYTHON: join(dirname(failing), 'gone') };
    await expect(install(missing)).rejects.toThrow(`${missing.TESSERA_PYTHON} was not found`);
  });
});
