import { existsSync, realpathSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';

/** How to type this command again: `tessera` where the shell finds it, else its path from the current folder. */
export function programName(): string {
  const script = process.argv[1];
  if (script === undefined) return 'tessera';
  const own = realpathSync(script);
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'tessera'))
    .find((path) => existsSync(path));
  return found !== undefined && realpathSync(found) === own ? 'tessera' : relative('.', own);
}
