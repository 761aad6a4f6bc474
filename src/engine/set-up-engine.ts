import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { durationText } from '../support/duration-text.js';
import { invariant } from '../support/errors.js';
import { buildAddon } from './build-addon.js';
import { findLibjpeg, type Libjpeg } from './find-libjpeg.js';
import { buildFolder, imagesAddonBeside } from './folders.js';
import { installLibtorch } from './install-libtorch.js';
import { type Installation, recordedInstallation, recordInstallation, whyUnusable } from './installation.js';
import { chooseLibtorch, type Libtorch, lookForLibtorch } from './locate-libtorch.js';
import { describeProcessor } from './processor.js';
import { withLock } from './set-up-lock.js';

/** What {@link setUpEngine} did. */
export interface SetUp {
  readonly installation: Installation;
  /** False when everything was there and up to date. */
  readonly changed: boolean;
}

/**
 * Makes the engine ready: finds a libtorch (or makes the private copy), builds the addons if anything that they depend on
 * has changed, finds a libjpeg-turbo, and records what is in use. Does nothing the second time.
 * @param log receives a line before and after each step that takes time.
 * @param lookAgain false: keep the libtorch and libjpeg-turbo of the last set-up if they are still there, without asking
 * Python (0.1-0.3 s) whether it has others by now.
 * @throws {EngineError} what was asked for cannot be used, or a step failed.
 */
export async function setUpEngine(log: (line: string) => void, lookAgain = true): Promise<SetUp> {
  const before = recordedInstallation();
  const kept = !lookAgain && before && whyUnusable(before) === undefined ? before.libtorch : undefined;
  const libtorch = kept ?? (await findOrInstall(log));
  const started = performance.now();
  const built = await withLock(join(buildFolder, 'lock'), log, () => buildAddon(libtorch, log));
  const { addon, hash } = built;
  const recorded = lookAgain ? undefined : keptLibjpeg(before);
  const libjpeg = recorded !== undefined ? recorded : ((await findLibjpeg(imagesAddonBeside(addon), log)) ?? null);
  const installation: Installation = { addon, libtorch, hash, processor: describeProcessor().signature, libjpeg };
  const changed = JSON.stringify(before) !== JSON.stringify(installation);
  if (changed) {
    recordInstallation(installation);
    log(`addons are ready: ${built.compiled} files compiled, ${built.reused} unchanged (${since(started)})`);
  }
  return { installation, changed };
}

async function findOrInstall(log: (line: string) => void): Promise<Libtorch> {
  const places = lookForLibtorch();
  const found = chooseLibtorch(places);
  if (found) return found;
  for (const { place, found } of places) log(`no libtorch: ${place}: ${found}`);
  const started = performance.now();
  await installLibtorch(log);
  log(`libtorch is ready (${since(started)})`);
  const made = chooseLibtorch(lookForLibtorch());
  invariant(made, 'the private copy of libtorch is not found after it was made');
  return made;
}

/** What the last set-up found, or that it found none (null); undefined: to be looked for. */
function keptLibjpeg(before: Installation | undefined): Libjpeg | null | undefined {
  const libjpeg = before?.libjpeg;
  const asked = process.env.TESSERA_LIBJPEG;
  if ((libjpeg?.origin === 'TESSERA_LIBJPEG' ? libjpeg.path : undefined) !== (asked ? resolve(asked) : undefined))
    return undefined;
  return libjpeg && isAbsolute(libjpeg.path) && !existsSync(libjpeg.path) ? undefined : libjpeg;
}

function since(started: number): string {
  return durationText((performance.now() - started) / 1000);
}
