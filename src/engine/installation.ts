import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeFileAtomic } from '../support/atomic-file.js';
import { EngineError } from '../support/errors.js';
import type { Libjpeg } from './find-libjpeg.js';
import { buildFolder, imagesAddonBeside, packageRoot } from './folders.js';
import { describePlaces, type Libtorch, lookForLibtorch, readVersion } from './locate-libtorch.js';
import { describeProcessor } from './processor.js';

/** The engine in use: a built addon and the libtorch that it was built against. */
export interface Installation {
  /** Path of the compiled addon (`tessera.node`). */
  readonly addon: string;
  readonly libtorch: Libtorch;
  /** Covers everything that the build depends on. */
  readonly hash: string;
  /** Signature of the processor that the addon was compiled for. */
  readonly processor: string;
  /** What decodes JPEGs; null when none was found and sharp does. */
  readonly libjpeg?: Libjpeg | null;
}

const setUp = `Run \`npm run setup\` in ${packageRoot} (or \`tessera setup\`).`;
const stampOf = (folder: string) => join(folder, 'current.json');

/** Records which build is in use, so that commands find it without a search. */
export function recordInstallation(installation: Installation, folder = buildFolder): void {
  mkdirSync(folder, { recursive: true });
  writeFileAtomic(stampOf(folder), `${JSON.stringify(installation, null, 2)}\n`);
}

/** What `setup` recorded, or undefined when it never ran. Not checked: see {@link whyUnusable}. */
export function recordedInstallation(folder = buildFolder): Installation | undefined {
  try {
    return JSON.parse(readFileSync(stampOf(folder), 'utf8')) as Installation;
  } catch {
    return undefined;
  }
}

/** Why a recorded engine cannot be used here and now, in words; undefined when it can. Starts no process. */
export function whyUnusable(installation: Installation, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { addon, libtorch, processor } = installation;
  const asked = env.TESSERA_LIBTORCH && resolve(env.TESSERA_LIBTORCH);
  if (asked && asked !== libtorch.root) return `it was built for ${libtorch.root}, but TESSERA_LIBTORCH is ${asked}`;
  if (!asked && libtorch.origin === 'TESSERA_LIBTORCH')
    return `it was built for TESSERA_LIBTORCH=${libtorch.root}, which is no longer set`;
  if (!existsSync(addon)) return `${addon} is gone`;
  const version = readVersion(libtorch.root);
  if (version === undefined) return `the libtorch in ${libtorch.root} is gone`;
  if (version !== libtorch.version)
    return `it was built for libtorch ${libtorch.version}, but ${libtorch.root} now holds ${version}`;
  if (processor !== describeProcessor().signature) return 'it was compiled for another processor';
  return undefined;
}

/**
 * The addon that decodes and resizes images, and the libjpeg-turbo that it opens, for threads that load no engine. Undefined
 * when they are not set up: everything then works without, to the same pixels, but slower.
 */
export function imageLibraries(folder = buildFolder): { addon: string; libjpeg: string | undefined } | undefined {
  const installation = recordedInstallation(folder);
  if (installation?.processor !== describeProcessor().signature) return undefined;
  const addon = imagesAddonBeside(installation.addon);
  return existsSync(addon) ? { addon, libjpeg: installation.libjpeg?.path } : undefined;
}

/**
 * The engine that `setup` installed, checked without starting a process (about a millisecond).
 * @throws {EngineError} there is none, or something that it was built for has changed. The message lists every place
 * that was looked at.
 */
export function requireInstallation(env: NodeJS.ProcessEnv = process.env, folder = buildFolder): Installation {
  const installation = recordedInstallation(folder);
  if (!installation) {
    throw new EngineError(
      `The engine (libtorch and the compiled addon) is not set up. Looked at:\n  built addon ${stampOf(folder)}: none\n${describePlaces(lookForLibtorch(env))}`,
      { hint: setUp },
    );
  }
  const reason = whyUnusable(installation, env);
  if (reason === undefined) return installation;
  throw new EngineError(
    `The engine has to be set up again: ${reason}. Looked at:\n  built addon ${installation.addon}: out of date\n${describePlaces(lookForLibtorch(env))}`,
    { hint: setUp },
  );
}
