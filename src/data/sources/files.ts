import { readdirSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { DataError } from '../../support/errors.js';

/** Extensions (lower case, no dot) of the image formats that sharp's prebuilt binaries read. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([
  ...['jpg', 'jpeg', 'jpe', 'jfif', 'png', 'webp', 'gif', 'tif', 'tiff', 'avif'],
]);

/** Image formats that people have and that are not read: worth a note when they are left out. */
const UNREAD_EXTENSIONS = new Set([
  'heic',
  'heif',
  'bmp',
  'jp2',
  'jxl',
  'dng',
  'cr2',
  'nef',
  'arw',
  'ppm',
  'psd',
  'svg',
]);

/** A file below a scanned folder. */
export interface FoundFile {
  /** Relative to the folder, separated by slashes on every system. */
  name: string;
  /** Bytes. */
  size: number;
}

/** The extension of a file name in lower case, without the dot. */
export function extensionOf(name: string): string {
  return extname(name).slice(1).toLowerCase();
}

/**
 * Every file below `folder`, sorted by name (by character code, not by locale). Hidden files and `__MACOSX` are left out;
 * links are followed, except into a folder that contains them; links to nothing are left out.
 */
export function filesBelow(folder: string): FoundFile[] {
  const found: FoundFile[] = [];
  const walk = (path: string, prefix: string, above: readonly string[]) => {
    const { dev, ino } = statSync(path);
    const here = `${dev}:${ino}`;
    if (above.includes(here)) return;
    for (const entry of readdirSync(path)) {
      if (entry.startsWith('.') || entry === '__MACOSX') continue;
      const info = statSync(join(path, entry), { throwIfNoEntry: false });
      if (info?.isDirectory()) walk(join(path, entry), `${prefix}${entry}/`, [...above, here]);
      else if (info?.isFile()) found.push({ name: prefix + entry, size: info.size });
    }
  };
  walk(folder, '', []);
  return found.sort((a, b) => byName(a.name, b.name));
}

/** Compares by character code. */
export function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Splits files into images and a note about image files in formats that are not read. */
export function imagesAmong(files: readonly FoundFile[]): { images: FoundFile[]; notes: string[] } {
  const images = files.filter((file) => IMAGE_EXTENSIONS.has(extensionOf(file.name)));
  const unread = files.filter((file) => UNREAD_EXTENSIONS.has(extensionOf(file.name)));
  const notes =
    unread.length === 0
      ? []
      : [`${unread.length} image files are left out, their format is not read: ${countByExtension(unread)}`];
  return { images, notes };
}

/** ".txt 17, .heic 3, no extension 1", the most frequent first. */
export function countByExtension(files: readonly { name: string }[]): string {
  const counts = new Map<string, number>();
  for (const { name } of files) {
    const extension = extensionOf(name);
    const key = extension === '' ? 'no extension' : `.${extension}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1] || byName(a[0], b[0]))
    .map(([key, count]) => `${key} ${count}`)
    .join(', ');
}

/** Refuses a path that is not a folder. @throws DataError */
export function requireFolder(path: string): void {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info?.isDirectory()) return;
  throw new DataError(`${path} should be a folder of images, and ${info ? 'is a file' : 'does not exist'}.`, {
    hint: info ? 'For a file that lists images use list://, for an archive tar:// or parquet://.' : nearestFolder(path),
  });
}

function nearestFolder(path: string): string {
  let above = dirname(resolve(path));
  while (!statSync(above, { throwIfNoEntry: false })?.isDirectory()) above = dirname(above);
  const folders = readdirSync(above, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name);
  const listed = folders.sort(byName).slice(0, 10).join(', ');
  return `Check the path: ${above} exists and contains ${listed || 'no folders'}.`;
}

/**
 * Files that match a path with brace ranges (`{000..127}`), brace lists (`{a,b}`) and globs (`*`, `?`) in any part.
 *
 * @throws DataError when nothing matches, or when a file that braces name does not exist.
 */
export function matchingFiles(pattern: string, what: string): string[] {
  const missing: string[] = [];
  const found = expandBraces(pattern).flatMap((path) => {
    const matches = expandGlob(path);
    if (matches.length === 0) missing.push(path);
    return matches;
  });
  if (missing.length > 0) {
    const more = missing.length > 20 ? `, and ${missing.length - 20} more` : '';
    throw new DataError(`No ${what} found: ${missing.slice(0, 20).join(', ')}${more}.`, {
      hint: 'Check the path; {000..127} stands for a range, * for anything within a name.',
    });
  }
  return found;
}

function expandBraces(pattern: string): string[] {
  const match = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(pattern);
  if (match === null) return [pattern];
  const [, before, inside, after] = match as unknown as [string, string, string, string];
  const range = /^(\d+)\.\.(\d+)$/.exec(inside);
  const values = range ? numberRange(range[1]!, range[2]!) : inside.split(',');
  return values.flatMap((value) => expandBraces(before + value + after));
}

/** Numbers from `first` to `last` as text, padded with zeros when one of them is. */
function numberRange(first: string, last: string): string[] {
  const padded = [first, last].some((text) => text.length > 1 && text.startsWith('0'));
  const width = padded ? Math.max(first.length, last.length) : 0;
  const [from, to] = [Number(first), Number(last)];
  return Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => String(from + i).padStart(width, '0'));
}

function expandGlob(path: string): string[] {
  let bases = [resolve('/')];
  for (const part of resolve(path).split(/[\\/]/).slice(1)) {
    if (!/[*?]/.test(part)) {
      bases = bases.map((base) => join(base, part));
      continue;
    }
    const rule = new RegExp(
      `^${part
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replace(/\*/g, '.*')
        .replace(/\?/g, '.')}$`,
    );
    bases = bases.flatMap((base) =>
      statSync(base, { throwIfNoEntry: false })?.isDirectory()
        ? readdirSync(base)
            .filter((name) => rule.test(name) && !name.startsWith('.'))
            .sort(byName)
            .map((name) => join(base, name))
        : [],
    );
  }
  return bases.filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}
