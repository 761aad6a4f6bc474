import { join } from 'node:path';
import { durationText } from '../support/duration-text.js';
import { invariant } from '../support/errors.js';
import { buildAddon } from './build-addon.js';
import { buildFolder } from './folders.js';
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
 * Makes the engine ready: finds a libtorch (or makes the private copy), builds the addon if anything that it depends on
 * has changed, and records which one is in use. Does nothing the second time.
 * @param log receives a line before and after each step that takes time.
 * @param lookAgain false: keep the libtorch of the last set-up if it is still there, without asking Python (0.1-0.3 s)
 * whether it has a torch by now.
 * @throws {EngineError} what was asked for cannot be used, or a step failed.
 */
export async function setUpEngine(log: (line: string) => void, lookAgain = true): Promise<SetUp> {
  const before = recordedInstallation();
  const kept = !lookAgain && before && whyUnusable(before) === undefined ? before.libtorch : undefined;
  const libtorch = kept ?? (await findOrInstall(log));
  const started = performance.now();
  const built = await withLock(join(buildFolder, 'lock'), log, () => buildAddon(libtorch, log));
  const { addon, hash } = built;
  const installation: Installation = { addon, libtorch, hash, processor: describeProcessor().signature };
  const changed = JSON.stringify(before) !== JSON.stringify(installation);
  if (changed) {
    recordInstallation(installation);
    log(`addon is ready: ${built.compiled} files compiled, ${built.reused} unchanged (${since(started)})`);
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

function since(started: number): string {
  return durationText((performance.now() - started) / 1000);
}
