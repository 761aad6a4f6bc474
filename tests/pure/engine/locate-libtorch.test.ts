import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { chooseLibtorch, lookForLibtorch, privateCopy } from '../../../src/engine/locate-libtorch.js';
import { EngineError } from '../../../src/support/errors.js';
import { fakeLibtorch, fakeProgram } from '../../support/fake-libtorch.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let scratch: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  scratch = temporaryFolder();
  // A Python without torch, and an empty cache.
  fakeProgram(scratch, 'python3', 'exit 0');
  env = { PATH: scratch, TESSERA_CACHE: join(scratch, 'cache') };
});

/** Makes `python3` answer that torch lies in this folder. */
function installInPython(folder: string): void {
  fakeProgram(scratch, 'python3', `printf %s '${folder}'`);
}

describe('the order of the places', () => {
  it('takes TESSERA_LIBTORCH, then the Python package, then the private copy', () => {
    const asked = fakeLibtorch(join(scratch, 'asked'), '2.12.0');
    const installed = fakeLibtorch(join(scratch, 'site', 'torch'), '2.10.1+cu128', { cuda: true });
    const copied = fakeLibtorch(join(privateCopy(env), 'torch'), '2.11.0+cu130');
    installInPython(installed);
    expect(chooseLibtorch(lookForLibtorch({ ...env, TESSERA_LIBTORCH: asked }))).toEqual({
      root: asked,
      version: '2.12.0',
      origin: 'TESSERA_LIBTORCH',
      cuda: false,
    });
    expect(chooseLibtorch(lookForLibtorch(env))).toEqual({
      root: installed,
      version: '2.10.1+cu128',
      origin: 'python',
      cuda: true,
    });
    fakeProgram(scratch, 'python3', 'exit 0');
    expect(chooseLibtorch(lookForLibtorch(env))).toEqual({
      root: copied,
      version: '2.11.0+cu130',
      origin: 'cache',
      cuda: false,
    });
  });

  it('finds nothing on a bare machine and says so for every place', () => {
    const places = lookForLibtorch({ ...env, PATH: join(scratch, 'nowhere') });
    expect(chooseLibtorch(places)).toBeUndefined();
    expect(places.map(({ origin, found }) => [origin, found])).toEqual([
      ['TESSERA_LIBTORCH', 'not set'],
      ['python', 'python3 is not installed'],
      ['cache', `none in ${join(scratch, 'cache', 'libtorch-2.11.0-cpu')}`],
    ]);
  });

  it('passes over a Python package that is too old', () => {
    installInPython(fakeLibtorch(join(scratch, 'site', 'torch'), '2.8.0'));
    const copied = fakeLibtorch(join(privateCopy(env), 'torch'), '2.11.0');
    const places = lookForLibtorch(env);
    expect(chooseLibtorch(places)?.root).toBe(copied);
    expect(places[1]?.found).toContain('is 2.8.0, older than 2.9');
  });

  it('reads the version of the C++ distribution', () => {
    const root = fakeLibtorch(join(scratch, 'libtorch'), undefined);
    writeFileSync(join(root, 'build-version'), '2.11.0+cpu\n');
    expect(chooseLibtorch(lookForLibtorch({ ...env, TESSERA_LIBTORCH: root }))?.version).toBe('2.11.0+cpu');
  });

  it.each(['2.9.0', '2.9.1+cu126', '2.10.0', '3.0.0', '2.12.0a0+git1234'])('accepts version %s', (version) => {
    const root = fakeLibtorch(join(scratch, 'libtorch'), version);
    expect(chooseLibtorch(lookForLibtorch({ ...env, TESSERA_LIBTORCH: root }))?.version).toBe(version);
  });
});

describe('a libtorch that was asked for and cannot be used', () => {
  const refusal = (more: NodeJS.ProcessEnv): EngineError => {
    try {
      chooseLibtorch(lookForLibtorch({ ...env, ...more }));
    } catch (error) {
      expect(error).toBeInstanceOf(EngineError);
      return error as EngineError;
    }
    throw new Error('nothing was refused');
  };

  it('is refused although another one could be used', () => {
    fakeLibtorch(join(privateCopy(env), 'torch'), '2.11.0');
    const folder = join(scratch, 'missing');
    const { message, hint } = refusal({ TESSERA_LIBTORCH: folder });
    expect(message).toContain(`TESSERA_LIBTORCH=${folder}`);
    expect(message).toContain('does not exist');
    expect(hint).toContain('npm run setup');
  });

  it('is refused when it is too old, has no version or lacks files', () => {
    const old = fakeLibtorch(join(scratch, 'old'), '2.8.1');
    expect(refusal({ TESSERA_LIBTORCH: old }).message).toContain(`${old} is 2.8.1, older than 2.9`);
    const nameless = fakeLibtorch(join(scratch, 'nameless'), undefined);
    expect(refusal({ TESSERA_LIBTORCH: nameless }).message).toContain('does not state its version');
    const odd = fakeLibtorch(join(scratch, 'odd'), 'master');
    expect(refusal({ TESSERA_LIBTORCH: odd }).message).toContain('does not state its version');
    const empty = join(scratch, 'empty');
    mkdirSync(empty);
    expect(refusal({ TESSERA_LIBTORCH: empty }).message).toMatch(
      /lacks lib\/libtorch_cpu\.so and lib\/libc10\.so and include\/ATen/,
    );
  });

  it('is refused when TESSERA_PYTHON has no torch, does not run or fails', () => {
    const bare = fakeProgram(scratch, 'bare', 'exit 0');
    expect(refusal({ TESSERA_PYTHON: bare }).message).toContain(`TESSERA_PYTHON=${bare}`);
    expect(refusal({ TESSERA_PYTHON: join(scratch, 'gone') }).message).toContain('is not installed');
    const broken = fakeProgram(scratch, 'broken', 'echo "no module named encodings" >&2; exit 1');
    expect(refusal({ TESSERA_PYTHON: broken }).message).toContain('failed: no module named encodings');
    expect(refusal({ TESSERA_PYTHON: broken }).hint).toContain('unset TESSERA_PYTHON');
  });
});

describe('a real Python', () => {
  it('is asked for the folder of torch without importing it', () => {
    // Importing this torch would fail.
    const root = fakeLibtorch(join(scratch, 'site', 'torch'), '2.11.0');
    writeFileSync(join(root, '__init__.py'), 'raise SystemExit(3)\n');
    const found = lookForLibtorch({
      ...process.env,
      ...env,
      PATH: process.env.PATH,
      PYTHONPATH: join(scratch, 'site'),
    });
    expect(found[1]?.libtorch?.root).toBe(root);
  });
});
