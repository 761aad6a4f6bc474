import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../support/errors.js';
import { nearestName } from '../support/nearest-name.js';

const shippedFolder = fileURLToPath(new URL('../../recipes/', import.meta.url));

/** Names of the recipes that come with Tessera, sorted, with `/` for sub-folders and without `.yaml`. */
export function listRecipes(folder = shippedFolder): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.ya?ml$/.test(file))
    .map((file) => file.replace(/\.ya?ml$/, '').replaceAll('\\', '/'))
    .sort();
}

/**
 * The file behind a RECIPE argument: a path to a file, or the name of a recipe that comes with Tessera.
 *
 * @throws UsageError listing the recipes there are and the nearest one.
 */
export function findRecipe(argument: string, folder = shippedFolder): string {
  if (isFile(argument)) return argument;
  for (const ending of ['.yaml', '.yml']) {
    const shipped = join(folder, argument + ending);
    if (isFile(shipped) && !relative(folder, shipped).startsWith('..')) return shipped;
  }
  const names = listRecipes(folder);
  const wanted = basename(argument).replace(/\.ya?ml$/, '');
  const near = nearestFile(argument) ?? nearestName(wanted, names);
  const known = names.length > 0 ? names.join(', ') : 'none';
  throw new UsageError(
    `no recipe ${argument}: expected the path of a YAML file or one of: ${known}${near ? `; did you mean ${near}?` : ''}`,
    { hint: `Recipes that come with Tessera are in ${folder}; copy one to change it.` },
  );
}

function nearestFile(argument: string): string | undefined {
  const folder = dirname(argument);
  if (!/\.ya?ml$/.test(argument) || !existsSync(folder)) return undefined;
  const files = readdirSync(folder).filter((file) => /\.ya?ml$/.test(file));
  const near = nearestName(basename(argument), files);
  return near === undefined ? undefined : join(folder, near);
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
