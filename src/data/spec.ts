import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../support/errors.js';
import type { Dataset } from './dataset.js';
import { openFolder } from './sources/folder.js';
import { joinDatasets } from './sources/joined.js';
import { openList } from './sources/list.js';
import { openParquet } from './sources/parquet.js';
import { openScenes } from './sources/scenes.js';
import { openSegmentation } from './sources/segmentation.js';
import { openTar } from './sources/tar.js';

/** A data specification in parts. */
interface Parts {
  /** As typed. */
  spec: string;
  /** Absolute, decoded. */
  path: string;
  /** Values in the order in which they were given, by key. */
  query: ReadonlyMap<string, readonly string[]>;
}

interface Scheme {
  keys: readonly string[];
  example: string;
  open(parts: Parts): Dataset | Promise<Dataset>;
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  folder: {
    keys: ['split'],
    example: 'folder:///path?split=train',
    open: ({ spec, path, query }) => openFolder(spec, path, single(query, 'split')),
  },
  list: {
    keys: [],
    example: 'list:///path/files.txt',
    open: ({ spec, path }) => openList(spec, path),
  },
  tar: {
    keys: [],
    example: 'tar:///path/{000..127}.tar',
    open: ({ spec, path }) => openTar(spec, path),
  },
  parquet: {
    keys: ['image', 'label'],
    example: 'parquet:///path/*.parquet?image=image.bytes&label=label',
    open: ({ spec, path, query }) =>
      openParquet(spec, path, {
        image: single(query, 'image') ?? 'image.bytes',
        label: single(query, 'label'),
      }),
  },
  segmentation: {
    keys: ['images', 'labels', 'ignore'],
    example: 'segmentation:///path?images=images/train&labels=labels/train&ignore=255',
    open: ({ spec, path, query }) =>
      openSegmentation(spec, path, {
        images: single(query, 'images') ?? 'images',
        labels: single(query, 'labels') ?? 'labels',
        ignore: integers(spec, query, 'ignore', 0, 255),
      }),
  },
  scenes: {
    keys: ['split', 'count', 'size', 'seed'],
    example: 'scenes://?split=train&count=4096&size=96&seed=0',
    open: ({ spec, query }) =>
      openScenes(spec, {
        split: single(query, 'split') ?? 'train',
        count: integer(spec, query, 'count', 1) ?? 4096,
        size: integer(spec, query, 'size', 8, 4096) ?? 96,
        seed: integer(spec, query, 'seed', 0) ?? 0,
      }),
  },
};

/**
 * Opens the data set that a specification names (docs: data): a folder, a URL, or several of them joined with commas.
 * Relative paths are relative to `cwd`. Reads names and sizes only.
 *
 * @throws UsageError when the specification cannot be understood; DataError when what it names is missing or empty.
 */
export async function openDataset(spec: string, options: { cwd?: string } = {}): Promise<Dataset> {
  const cwd = options.cwd ?? process.cwd();
  // A folder may have a comma in its name.
  if (spec.trim() !== '' && isFolder(resolve(cwd, spec))) return openFolder(spec, resolve(cwd, spec));
  const parts = splitSpec(spec);
  if (parts.some((part) => part.trim() === '')) {
    throw new UsageError(
      `A data set is missing in "${spec}": expected a path or URL${parts.length > 1 ? ' between the commas' : ''}.`,
      {
        hint: examples(),
      },
    );
  }
  const datasets: Dataset[] = [];
  for (const part of parts) datasets.push(await openOne(part, cwd));
  return datasets.length === 1 ? datasets[0]! : joinDatasets(spec, datasets);
}

async function openOne(spec: string, cwd: string): Promise<Dataset> {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^?]*)(?:\?(.*))?$/s.exec(spec);
  if (match === null) {
    const plain = resolve(cwd, spec);
    return openFolder(spec, existsSync(plain) ? plain : resolve(cwd, decode(spec, spec)));
  }
  const [, name, path, query] = match as unknown as [string, string, string, string | undefined];
  const scheme = SCHEMES[name];
  if (scheme === undefined) {
    throw new UsageError(`Unknown kind of data set "${name}://"; known are ${Object.keys(SCHEMES).join(', ')}.`, {
      hint: examples(),
    });
  }
  if (name !== 'scenes' && path === '') {
    throw new UsageError(`"${spec}" names no path.`, { hint: `Example: ${scheme.example}` });
  }
  if (name === 'scenes' && path !== '') {
    throw new UsageError(`"${spec}" must not name a path: scenes are drawn, not read.`, {
      hint: `Example: ${scheme.example}`,
    });
  }
  return scheme.open({
    spec,
    path: resolve(cwd, decode(path, spec)),
    query: parseQuery(spec, query ?? '', scheme),
  });
}

/** Parts between commas, but not commas in braces (a path pattern) or between the numbers of `ignore=0,255`. */
function splitSpec(spec: string): string[] {
  const parts: string[] = [];
  for (const piece of spec.split(/,(?![^{}]*\})/)) {
    const before = parts.at(-1);
    if (before !== undefined && /^\d+$/.test(piece) && /[?&]ignore=[\d,]+$/.test(before)) {
      parts[parts.length - 1] = `${before},${piece}`;
    } else {
      parts.push(piece);
    }
  }
  return parts;
}

function parseQuery(spec: string, query: string, scheme: Scheme): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const problems: string[] = [];
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const at = pair.indexOf('=');
    const key = decode(at < 0 ? pair : pair.slice(0, at), spec);
    const value = at < 0 ? '' : decode(pair.slice(at + 1), spec);
    if (!scheme.keys.includes(key)) problems.push(`unknown key "${key}"`);
    else if (value === '') problems.push(`"${key}" has no value`);
    else if (values.has(key) && key !== 'ignore') problems.push(`"${key}" is given twice`);
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  if (problems.length > 0) {
    const keys = scheme.keys.length > 0 ? `known are ${scheme.keys.join(', ')}` : 'this kind takes none';
    throw new UsageError(`"${spec}": ${problems.join('; ')}; ${keys}.`, {
      hint: `Example: ${scheme.example}`,
    });
  }
  return values;
}

function single(query: Parts['query'], key: string): string | undefined {
  return query.get(key)?.[0];
}

function integer(spec: string, query: Parts['query'], key: string, low: number, high?: number): number | undefined {
  return integers(spec, query, key, low, high)[0];
}

function integers(
  spec: string,
  query: Parts['query'],
  key: string,
  low: number,
  high = Number.MAX_SAFE_INTEGER,
): number[] {
  return (query.get(key) ?? []).flatMap((text) =>
    text.split(',').map((value) => {
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (number >= low && number <= high) return number;
      const range = high === Number.MAX_SAFE_INTEGER ? `at least ${low}` : `${low} to ${high}`;
      throw new UsageError(`"${spec}": ${key} must be an integer of ${range}, not "${value}".`);
    }),
  );
}

function decode(text: string, spec: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new UsageError(`"${spec}" is not percent-encoded correctly.`, {
      hint: 'Write % as %25, a comma as %2C and a question mark as %3F.',
      cause,
    });
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function examples(): string {
  return ['Examples:', '  path/to/folder', ...Object.values(SCHEMES).map((scheme) => `  ${scheme.example}`)].join('\n');
}
