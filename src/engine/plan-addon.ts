import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { EngineError } from '../support/errors.js';
import { buildFolder, packageRoot } from './folders.js';
import type { Libtorch } from './locate-libtorch.js';
import { describeProcessor } from './processor.js';
import { runProgram } from './run-program.js';

/** Where the sources are and where builds go; tests point them at scratch folders. */
export interface BuildPlaces {
  readonly native: string;
  readonly build: string;
  readonly env: NodeJS.ProcessEnv;
}

/** One source and the object that it is compiled to; the object's name changes with everything that it depends on. */
export interface Unit {
  readonly source: string;
  readonly object: string;
}

/** How an addon is built, worked out without compiling anything. */
export interface AddonPlan {
  readonly compiler: string;
  readonly compilerFlags: readonly string[];
  readonly linkerFlags: readonly string[];
  readonly units: readonly Unit[];
  /** Covers sources, headers, flags, compiler, libtorch and processor. */
  readonly hash: string;
  /** Path of the addon; it exists when it is up to date. */
  readonly addon: string;
  readonly places: BuildPlaces;
}

/**
 * Plans the build of `native/*.cc` and `native/kernels/*.cc` against a libtorch. Costs one short process (the compiler's
 * version).
 * @throws {EngineError} there is no compiler (`CXX`, else `g++`).
 */
export async function planAddon(libtorch: Libtorch, places: Partial<BuildPlaces> = {}): Promise<AddonPlan> {
  const all = { native: join(packageRoot, 'native'), build: buildFolder, env: process.env, ...places };
  const compiler = all.env.CXX || 'g++';
  const { sources, headers } = listSources(all.native);
  const compilerFlags = listCompilerFlags(libtorch, all.native);
  const linkerFlags = listLinkerFlags(libtorch);
  const key = digest(
    compilerFlags.join('\n'),
    `${compiler} ${await compilerVersion(compiler, all.env)} ${describeProcessor().signature}`,
    versionText(libtorch.root),
    ...headers.flatMap((file) => [file, readFileSync(file)]),
  );
  const units = sources.map((source) => {
    const name = `${basename(source, '.cc')}-${digest(key, source, readFileSync(source))}.o`;
    return { source, object: join(all.build, 'objects', name) };
  });
  const hash = digest(linkerFlags.join('\n'), ...units.map(({ object }) => object));
  const addon = join(all.build, hash, 'tessera.node');
  return { compiler, compilerFlags, linkerFlags, units, hash, addon, places: all };
}

/**
 * What a C++ compiler says about itself.
 * @throws {EngineError} it is missing or does not run.
 */
export async function compilerVersion(compiler: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { code, output } = await runProgram(compiler, ['--version'], env);
  if (code === 0) return output;
  throw new EngineError(
    `The addon needs a C++20 compiler, but \`${compiler}\` ${code === 127 ? 'was not found' : 'failed'}.`,
    { hint: 'Install one (Debian and Ubuntu: `apt-get install -y g++`), or set CXX to one.' },
  );
}

function listSources(native: string): { sources: string[]; headers: string[] } {
  const files = readdirSync(native, { recursive: true, encoding: 'utf8' }).sort();
  const isSource = (name: string) => /^(?:kernels\/)?[^/]+\.cc$/.test(name);
  return {
    sources: files.filter(isSource).map((name) => join(native, name)),
    headers: files.filter((name) => name.endsWith('.h')).map((name) => join(native, name)),
  };
}

function listCompilerFlags(libtorch: Libtorch, native: string): string[] {
  const nodeApi = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));
  const torch = join(libtorch.root, 'include');
  // System headers, so that libtorch's own warnings stay quiet.
  const system = [join(nodeApi, 'include'), torch, join(torch, 'torch/csrc/api/include')];
  return [
    ...['-std=c++20', '-O3', '-march=native', '-fPIC', '-Wall', '-Wextra'],
    ...['-DNAPI_VERSION=9', '-DUSE_DISTRIBUTED'],
    ...(process.platform === 'darwin' ? [] : ['-fopenmp']),
    ...[`-I${native}`, `-I${join(native, 'gloo-declarations')}`],
    ...system.flatMap((folder) => ['-isystem', folder]),
  ];
}

function listLinkerFlags(libtorch: Libtorch): string[] {
  const lib = join(libtorch.root, 'lib');
  // Nothing of ours names a symbol of the CUDA libraries; they register their operators when they are loaded.
  const cuda = libtorch.cuda ? ['-Wl,--no-as-needed', '-ltorch_cuda', '-lc10_cuda', '-ltorch'] : [];
  const flags = ['-shared', `-L${lib}`, ...cuda, '-ltorch_cpu', '-lc10', `-Wl,-rpath,${lib}`];
  if (process.platform === 'darwin') return [...flags, '-undefined', 'dynamic_lookup'];
  // libtorch's own OpenMP runtime by its path: the compiler's would be a second one when their names differ.
  const runtime = readdirSync(lib).find((name) => /^lib(?:gomp|iomp5|omp)\b/.test(name));
  // DT_RPATH rather than DT_RUNPATH: another libtorch in LD_LIBRARY_PATH must not come first.
  return [...flags, '-Wl,--disable-new-dtags', runtime ? join(lib, runtime) : '-fopenmp'];
}

/** Two builds of libtorch may share a version number; the file also holds the commit. */
function versionText(root: string): string {
  const file = ['version.py', 'build-version'].map((name) => join(root, name)).find(existsSync);
  return file ? readFileSync(file, 'utf8') : '';
}

function digest(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}
