import { existsSync, readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EngineError } from '../support/errors.js';
import { cacheFolder } from './folders.js';
import { installWheels } from './pip-wheels.js';
import { runProgram, whyScriptFails } from './run-program.js';
import { withLock } from './set-up-lock.js';

/** A libjpeg-turbo that the addon for images can use, tried. */
export interface Libjpeg {
  /** Its file, or a name that the system knows. */
  readonly path: string;
  /** Where it came from, in the order in which places are tried. */
  readonly origin: 'TESSERA_LIBJPEG' | 'cache' | 'python' | 'system';
}

const pinned = 'pillow-13.0.0';
const library = /^libjpeg[^/]*\.so\.62(?:\.|$)/;
/** What is kept of the wheel: the library, and the licences of all that it carries. */
const kept = /^pillow\.libs\/libjpeg[^/]*$|\.dist-info\/licenses\/LICENSE$/;

/** Folder of the private copy that `setup` makes. */
function privateCopy(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), `libjpeg-turbo-${pinned}`);
}

/**
 * The first libjpeg-turbo that works: of `TESSERA_LIBJPEG`, the private copy, Python's Pillow (`TESSERA_PYTHON`, else
 * `python3`), the system. When there is none, a private copy is made (7 MB with pip); when that fails as well, undefined,
 * and one line says so: JPEGs are then decoded by sharp, to the same pixels.
 * @param addon the addon for images, which tries each in a process of its own
 * @throws {EngineError} TESSERA_LIBJPEG cannot be used.
 */
export async function findLibjpeg(
  addon: string,
  log: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Libjpeg | undefined> {
  if (env.TESSERA_LIBJPEG) return askedFor(addon, resolve(env.TESSERA_LIBJPEG));
  const system = process.platform === 'darwin' ? 'libjpeg.62.dylib' : 'libjpeg.so.62';
  const places = [
    { origin: 'cache', look: () => libraryIn(join(privateCopy(env), 'pillow.libs')) },
    { origin: 'python', look: () => ofPillow(env) },
    { origin: 'system', look: () => system },
  ] as const;
  for (const { origin, look } of places) {
    const path = await look();
    if (path !== undefined && (await whyUnusableLibjpeg(addon, path)) === undefined) return { path, origin };
  }
  const failure = await makePrivateCopy(log, env);
  const path = libraryIn(join(privateCopy(env), 'pillow.libs'));
  const reason = failure ?? (path === undefined ? 'it has no library' : await whyUnusableLibjpeg(addon, path));
  if (path !== undefined && reason === undefined) return { path, origin: 'cache' };
  log(`no libjpeg-turbo (${reason}): JPEG files are decoded by sharp, which takes longer`);
  return undefined;
}

/** Why the addon for images cannot use a library, in words; undefined when it can. Tried in a process of its own. */
export function whyUnusableLibjpeg(addon: string, path: string): Promise<string | undefined> {
  return whyScriptFails(`const m = { exports: {} };
    process.dlopen(m, ${JSON.stringify(addon)});
    m.exports.openLibjpeg(${JSON.stringify(path)});`);
}

async function askedFor(addon: string, path: string): Promise<Libjpeg> {
  const reason = await whyUnusableLibjpeg(addon, path);
  if (reason === undefined) return { path, origin: 'TESSERA_LIBJPEG' };
  throw new EngineError(`TESSERA_LIBJPEG=${path} should be libjpeg-turbo (libjpeg.so.62), but ${reason}.`, {
    hint: 'Correct or unset TESSERA_LIBJPEG, then run `npm run setup`.',
  });
}

function libraryIn(folder: string): string | undefined {
  const name = existsSync(folder) ? readdirSync(folder).find((name) => library.test(name)) : undefined;
  return name && join(folder, name);
}

/** The library that lies beside an installed Pillow; its wheels have one, packages of Linux distributions do not. */
async function ofPillow(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const program = `
import importlib.util, sys
sys.path = [entry for entry in sys.path if entry]
spec = importlib.util.find_spec('PIL')
if spec and spec.origin: print(spec.origin)`;
  const { code, output } = await runProgram(env.TESSERA_PYTHON || 'python3', ['-c', program], env);
  const origin = output.trim();
  return code === 0 && origin ? libraryIn(join(dirname(dirname(origin)), 'pillow.libs')) : undefined;
}

/** Makes the private copy, which appears at once, complete. Gives why it could not be made, in words. */
async function makePrivateCopy(log: (line: string) => void, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'none is offered for this platform';
  const target = privateCopy(env);
  await mkdir(dirname(target), { recursive: true });
  return withLock(`${target}.lock`, log, async () => {
    log(`downloading libjpeg-turbo with pip: 7 MB (${pinned}), 1 MB kept in ${target}`);
    try {
      return await installWheels('libjpeg.requirements.txt', target, {
        ...{ env, kept: [kept] },
        // Nothing depends on it: one try, so that a machine without a network does not wait for it.
        pip: ['--retries', '0', '--timeout', '15', '--quiet'],
      });
    } catch (error) {
      return (error as Error).message;
    }
  });
}
