import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { EngineError } from '../support/errors.js';
import type { Libtorch } from './locate-libtorch.js';
import { type AddonPlan, type BuildPlaces, type Product, planAddon, type Unit } from './plan-addon.js';
import { runProgram, whyScriptFails } from './run-program.js';

/** What {@link buildAddon} made or found made. */
export interface BuiltAddon {
  /** The engine's addon; the one for images lies beside it. */
  readonly addon: string;
  readonly hash: string;
  /** How many sources were compiled and how many objects were taken from an earlier build. */
  readonly compiled: number;
  readonly reused: number;
}

/** A source that includes libtorch takes up to this much memory to compile. */
const bytesPerCompiler = 1.5e9;
/** Builds and objects that nothing has used for this long are removed. */
const keepDays = 14;

/**
 * Compiles `native/*.cc` and `native/kernels/*.cc` with g++ (or `CXX`) against a libtorch, and `native/images/*.cc` without,
 * in parallel, and links `build/native/<hash>/tessera.node` and `images.node`. Addons that are up to date are found and not
 * built; sources that have not changed since an earlier build are not compiled again.
 * @throws {EngineError} no compiler, a source does not compile (its messages in full), the addon does not link, has two
 * OpenMP runtimes or does not load.
 */
export async function buildAddon(
  libtorch: Libtorch,
  log: (line: string) => void,
  places: Partial<BuildPlaces> = {},
): Promise<BuiltAddon> {
  const plan = await planAddon(libtorch, places);
  const { hash } = plan;
  const products = [plan.engine, plan.images];
  const units = products.flatMap((product) => product.units.map((unit) => ({ ...unit, flags: product.compilerFlags })));
  const { addon } = plan.engine;
  if (products.every((product) => existsSync(product.addon))) return { addon, hash, compiled: 0, reused: units.length };
  const missing = units.filter(({ object }) => !existsSync(object));
  if (missing.length > 0) {
    log(`compiling ${missing.length} of ${units.length} files against libtorch ${libtorch.version}`);
  }
  mkdirSync(join(plan.places.build, 'objects'), { recursive: true });
  await compile(plan, missing);
  for (const product of products) await link(plan, product);
  removeUnused(plan, units);
  return { addon, hash, compiled: missing.length, reused: units.length - missing.length };
}

/** A unit and the flags of its addon. */
interface Job extends Unit {
  readonly flags: readonly string[];
}

/** Compiles as many at once as there are cores and memory for; every failure is reported, not only the first. */
async function compile(plan: AddonPlan, units: readonly Job[]): Promise<void> {
  const width = Math.min(availableParallelism(), Math.floor(totalmem() / bytesPerCompiler));
  const queue = [...units];
  const failures = new Map<string, string>();
  const worker = async () => {
    for (let unit = queue.shift(); unit; unit = queue.shift()) {
      const { code, output } = await compileUnit(plan, unit);
      if (code !== 0) failures.set(unit.source, output);
      else if (output !== '') process.stderr.write(output);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, width) }, worker));
  if (failures.size === 0) return;
  const failed = [...failures.keys()].sort();
  const messages = failed.map((source) => failures.get(source)).join('\n');
  const names = failed.map((source) => relative(dirname(plan.places.native), source)).join(', ');
  throw new EngineError(`${messages}\n${failed.length} of ${units.length} files did not compile: ${names}.`, {
    hint: 'g++ 11 or newer (or clang with C++20) is needed; `tessera doctor` shows which compiler was found.',
  });
}

async function compileUnit({ compiler, places }: AddonPlan, { source, object, flags }: Job) {
  const temporary = `${object}.${process.pid}`;
  const outcome = await runProgram(compiler, [...flags, '-c', source, '-o', temporary], places.env);
  if (outcome.code === 0) renameSync(temporary, object);
  else rmSync(temporary, { force: true });
  return outcome;
}

/** The addon gets its name when it is known to load. */
async function link({ compiler, places }: AddonPlan, { linkerFlags, units, addon }: Product): Promise<void> {
  const temporary = `${addon}.${process.pid}`;
  mkdirSync(dirname(addon), { recursive: true });
  try {
    const objects = units.map(({ object }) => object);
    const { code, output } = await runProgram(compiler, [...objects, ...linkerFlags, '-o', temporary], places.env);
    if (code !== 0) {
      throw new EngineError(`${output}\nThe addon did not link.`, {
        hint: 'Run `tessera doctor` to see which compiler and which libtorch were found.',
      });
    }
    await refuseTwoOpenMp(temporary);
    await tryToLoad(temporary);
    renameSync(temporary, addon);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Two OpenMP runtimes in one process fight over the cores, or crash. */
async function refuseTwoOpenMp(addon: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const { output } = await runProgram('ldd', [addon]);
  const runtimes = new Set(output.match(/\blib(?:gomp|iomp5|omp)\b\S*(?= =>)/g));
  if (runtimes.size <= 1) return;
  throw new EngineError(`The addon would load two OpenMP runtimes: ${[...runtimes].join(' and ')}.`, {
    hint: "Set CXX to a compiler with libtorch's OpenMP runtime, or TESSERA_LIBTORCH to another libtorch.",
  });
}

/** In a process of its own: a library that is missing, or an instruction that this processor lacks, shows here. */
async function tryToLoad(addon: string): Promise<void> {
  const reason = await whyScriptFails(`process.dlopen({ exports: {} }, ${JSON.stringify(addon)})`);
  if (reason === undefined) return;
  throw new EngineError(`The addon was built but does not load: ${reason}.`, {
    hint: 'If a library of CUDA is missing, this PyTorch is incomplete: install it again, or set TESSERA_LIBTORCH.',
  });
}

/** Removes builds and objects of earlier sources, compilers and libtorchs. */
function removeUnused({ engine, places: { build } }: AddonPlan, units: readonly Unit[]): void {
  const oldest = Date.now() - keepDays * 86_400_000;
  const used = new Set([dirname(engine.addon), ...units.map(({ object }) => object)]);
  const objects = readdirSync(join(build, 'objects')).map((name) => join(build, 'objects', name));
  const builds = readdirSync(build).filter((name) => /^[0-9a-f]{16}$/.test(name));
  for (const path of [...objects, ...builds.map((name) => join(build, name))]) {
    if (!used.has(path) && statSync(path).mtimeMs < oldest) rmSync(path, { recursive: true, force: true });
  }
}
