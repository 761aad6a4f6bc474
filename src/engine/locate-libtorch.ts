import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EngineError } from '../support/errors.js';
import { cacheFolder } from './folders.js';

/** The version that `setup` downloads and that the goldens are held to. */
export const pinnedVersion = '2.11.0';
const oldestVersion = '2.9';

/** Where a libtorch came from, in the order in which they are tried. */
export type LibtorchOrigin = 'TESSERA_LIBTORCH' | 'python' | 'cache';

/** A libtorch that can be built against: `root` holds `lib` and `include`. */
export interface Libtorch {
  readonly root: string;
  /** As the build names itself, for example `2.11.0+cu130`. */
  readonly version: string;
  readonly origin: LibtorchOrigin;
  /** Whether it was built with CUDA; a driver may still be missing. */
  readonly cuda: boolean;
}

/** One place where a libtorch was looked for. */
export interface Place {
  readonly origin: LibtorchOrigin;
  /** What was looked at, in words. */
  readonly place: string;
  /** What was found there, in words. */
  readonly found: string;
  /** Set when it can be used. */
  readonly libtorch?: Libtorch;
  /** The user asked for this one, so a problem with it is an error and not a reason to look further. */
  readonly asked: boolean;
}

/** File name of a shared library on this platform: `torch_cpu` gives `libtorch_cpu.so`. */
function sharedLibrary(name: string): string {
  return `lib${name}.${process.platform === 'darwin' ? 'dylib' : 'so'}`;
}

/** Folder of the private copy that `setup` makes; its `torch` folder is a libtorch root. */
export function privateCopy(env: NodeJS.ProcessEnv = process.env): string {
  return join(cacheFolder(env), `libtorch-${pinnedVersion}-cpu`);
}

/**
 * The version that a libtorch folder states (`version.py` of the Python package, `build-version` of the C++
 * distribution), or undefined when neither file is there or readable.
 */
export function readVersion(root: string): string | undefined {
  const read = (name: string) => {
    try {
      return readFileSync(join(root, name), 'utf8');
    } catch {
      return undefined;
    }
  };
  return /__version__ = '([^']+)'/.exec(read('version.py') ?? '')?.[1] ?? read('build-version')?.trim();
}

/**
 * Looks at every place for a libtorch, in the order in which they count: `TESSERA_LIBTORCH`, an installed Python torch
 * (asked of `TESSERA_PYTHON` or `python3`, which costs one short process), the private copy. Throws nothing.
 */
export function lookForLibtorch(env: NodeJS.ProcessEnv = process.env): Place[] {
  return [lookAtVariable(env), lookAtPython(env), lookAtCache(env)];
}

/**
 * The libtorch to use among the places looked at, or undefined when there is none and `setup` should make a copy.
 * @throws {EngineError} the one that the user asked for (`TESSERA_LIBTORCH`, `TESSERA_PYTHON`) cannot be used.
 */
export function chooseLibtorch(places: readonly Place[]): Libtorch | undefined {
  for (const place of places) {
    if (place.libtorch) return place.libtorch;
    if (!place.asked) continue;
    throw new EngineError(
      `${place.place} should give a libtorch ${oldestVersion} or newer (lib/${sharedLibrary('torch_cpu')} and include/), but ${place.found}.`,
      {
        hint: `Correct or unset ${place.origin === 'python' ? 'TESSERA_PYTHON' : 'TESSERA_LIBTORCH'}, then run \`npm run setup\`.`,
      },
    );
  }
  return undefined;
}

/** The places as lines of text, for errors and `doctor`. */
export function describePlaces(places: readonly Place[]): string {
  return places.map(({ place, found }) => `  ${place}: ${found}`).join('\n');
}

function lookAtVariable(env: NodeJS.ProcessEnv): Place {
  const origin = 'TESSERA_LIBTORCH';
  const folder = env.TESSERA_LIBTORCH;
  if (!folder) return { origin, place: origin, found: 'not set', asked: false };
  return { origin, place: `TESSERA_LIBTORCH=${folder}`, asked: true, ...inspect(resolve(folder), origin) };
}

function lookAtPython(env: NodeJS.ProcessEnv): Place {
  const python = env.TESSERA_PYTHON || 'python3';
  const asked = Boolean(env.TESSERA_PYTHON);
  const place = `torch installed for ${asked ? `TESSERA_PYTHON=${python}` : python}`;
  let folder: string;
  try {
    folder = execFileSync(python, ['-c', findTorch], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    const reason = code === 'ENOENT' ? 'is not installed' : `failed: ${(stderr ?? '').trim().split('\n').at(-1)}`;
    return { origin: 'python', place, found: `${python} ${reason}`, asked };
  }
  if (folder === '') return { origin: 'python', place, found: 'none', asked };
  return { origin: 'python', place, asked, ...inspect(folder, 'python') };
}

/** Says where torch lies without importing it; the empty entry of sys.path would find a folder that happens to be named torch. */
const findTorch = `
import importlib.util, sys
sys.path = [entry for entry in sys.path if entry]
spec = importlib.util.find_spec('torch')
if spec and spec.submodule_search_locations: print(list(spec.submodule_search_locations)[0], end='')
`;

function lookAtCache(env: NodeJS.ProcessEnv): Place {
  const folder = privateCopy(env);
  const place = 'private copy made by setup';
  if (!existsSync(folder)) return { origin: 'cache', place, found: `none in ${folder}`, asked: false };
  return { origin: 'cache', place, asked: false, ...inspect(join(folder, 'torch'), 'cache') };
}

function inspect(root: string, origin: LibtorchOrigin): { found: string; libtorch?: Libtorch } {
  if (!existsSync(root)) return { found: `${root} does not exist` };
  const needed = [join('lib', sharedLibrary('torch_cpu')), join('lib', sharedLibrary('c10')), join('include', 'ATen')];
  const missing = needed.filter((name) => !existsSync(join(root, name)));
  if (missing.length > 0) return { found: `${root} lacks ${missing.join(' and ')}` };
  const version = readVersion(root);
  if (!version || !/^\d+\.\d+/.test(version))
    return { found: `${root} does not state its version (version.py or build-version)` };
  if (!isNewEnough(version)) return { found: `${root} is ${version}, older than ${oldestVersion}` };
  const cuda = existsSync(join(root, 'lib', sharedLibrary('torch_cuda')));
  return {
    found: `${version}${cuda ? ' with CUDA' : ''} in ${root}`,
    libtorch: { root, version, origin, cuda },
  };
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestVersion.split('.').map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}
