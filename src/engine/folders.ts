import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout: the folder that holds package.json, native/ and build/. The same from src/ and from dist/. */
export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

/** Where the addon is built: one folder per build, compiled objects, and `current.json`, which names the build in use. */
export const buildFolder = join(packageRoot, 'build', 'native');

/** The addon that decodes and resizes images, which lies beside the engine's. */
export function imagesAddonBeside(addon: string): string {
  return join(dirname(addon), 'images.node');
}

/** The user's cache folder: `TESSERA_CACHE`, else `tessera` in `XDG_CACHE_HOME` or `~/.cache`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.TESSERA_CACHE) return resolve(env.TESSERA_CACHE);
  return join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tessera');
}
