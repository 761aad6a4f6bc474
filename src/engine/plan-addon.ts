import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { EngineError } from '../support/errors.js';
import { buildFolder, imagesAddonBeside, packageRoot } from './folders.js';
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

/** An addon and what it is made of. */
export interface Product {
  /** Its path; it exists when it is up to date. */
  readonly addon: string;
  readonly compilerFlags: readonly string[];
  readonly linkerFlags: readonly string[];
  readonly units: readonly Unit[];
}

/** How the addons are built, worked out without compiling anything. */
export interface AddonPlan {
  readonly compiler: string;
  /** Covers sources, headers, flags, compiler, libtorch and processor. */
  readonly hash: string;
  readonly engine: Product;
  /** Decodes and resizes images in threads that do without libtorch. */
  readonly images: Product;
  readonly places: BuildPlaces;
}

/**
 * Plans the build of `native/*.cc` and `native/kernels/*.cc` against a libtorch, and of `native/images/*.cc` without. Costs
 * one short process (the compiler's version).
 * @throws {EngineError} there is no compiler (`CXX`, else `g++`).
 */
export async function planAddon(libtorch: Libtorch, places: Partial<BuildPlaces> = {}): Promise<AddonPlan> {
  const all = { native: join(packageRoot, 'native'), build: buildFolder, env: process.env, ...places };
  const compiler = all.env.CXX || 'g++';
  const files = readdirSync(all.native, { recursive: true, encoding: 'utf8' }).sort();
  const tools = `${compiler} ${await compilerVersion(compiler, all.env)} ${describeProcessor().signature}`;
  const engineFlags = listCompilerFlags(libtorch, all.native);
  const engine = listUnits(all, files, /^(?:kernels\/)?[^/]+\.cc$/, [
    engineFlags.join('\n'),
    tools,
    versionText(libtorch.root),
  ]);
  const imageFlags = listImageFlags();
  const images = listUnits(all, files, /^images\/[^/]+\.cc$/, [imageFlags.join('\n'), tools]);
  const linkerFlags = listLinkerFlags(libtorch);
  const hash = digest(linkerFlags.join('\n'), ...[...engine, ...images].map(({ object }) => object));
  const addon = join(all.build, hash, 'tessera.node');
  return {
    compiler,
    hash,
    engine: { addon, compilerFlags: engineFlags, linkerFlags, units: engine },
    images: { addon: imagesAddonBeside(addon), compilerFlags: imageFlags, linkerFlags: sharedFlags(), units: images },
    places: all,
  };
}

/** The sources among `files` and their objects, whose names cover `key`, the source and the headers in its folders. */
function listUnits(
  { native, build }: BuildPlaces,
  files: readonly string[],
  ours: RegExp,
  key: readonly string[],
): Unit[] {
  const sources = files.filter((name) => ours.test(name));
  const headers = files.filter(
    (name) => name.endsWith('.h') && name.startsWith('images/') === ours.test('images/x.cc'),
  );
  const paths = headers.map((name) => join(native, name));
  const whole = digest(...key, ...paths.flatMap((path) => [path, readFileSync(path)]));
  return sources.map((name) => {
    const source = join(native, name);
    const object = `${basename(source, '.cc')}-${digest(whole, source, readFileSync(source))}.o`;
    return { source, object: join(build, 'objects', object) };
  });
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

function listCompilerFlags(libtorch: Libtorch, native: string): string[] {
  const torch = join(libtorch.root, 'include');
  // System headers, so that libtorch's own warnings stay quiet.
  const system = [nodeApiHeaders(), torch, join(torch, 'torch/csrc/api/include')];
  return [
    ...['-std=c++20', '-O3', '-march=native', '-fPIC', '-Wall', '-Wextra'],
    ...['-DNAPI_VERSION=9', '-DUSE_DISTRIBUTED'],
    ...(process.platform === 'darwin' ? [] : ['-fopenmp']),
    ...[`-I${native}`, `-I${join(native, 'gloo-declarations')}`],
    ...system.flatMap((folder) => ['-isystem', folder]),
  ];
}

/** Without libtorch, which decoding threads do not load, and without fused multiply-adds, which change rounding. */
function listImageFlags(): string[] {
  return [
    ...['-std=c++20', '-O3', '-march=native', '-ffp-contract=off', '-fPIC', '-Wall', '-Wextra'],
    ...['-DNAPI_VERSION=9', '-isystem', nodeApiHeaders()],
  ];
}

function nodeApiHeaders(): string {
  return join(dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')), 'include');
}

/** Flags of any addon: Node's own functions are found when it is loaded. */
function sharedFlags(): string[] {
  return process.platform === 'darwin' ? ['-shared', '-undefined', 'dynamic_lookup'] : ['-shared', '-ldl'];
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
