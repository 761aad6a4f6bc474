import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { Header, Pax } from 'tar';
import { DataError } from '../../support/errors.js';
import { type Dataset, fingerprintOf, type Item } from '../dataset.js';
import { IMAGE_EXTENSIONS, matchingFiles } from './files.js';
import { numberLabels } from './list.js';

const BLOCK = 512;
const CONTENT_TYPES = new Set(['File', 'OldFile', 'ContiguousFile']);

/** A file in a tar archive. */
interface Entry {
  name: string;
  offset: number;
  length: number;
}

interface Sample extends Entry {
  archive: string;
  label: string | undefined;
}

/**
 * WebDataset shards: plain tar archives in which files with the same key (the name up to the first dot) belong together.
 * One image per key (jpg, jpeg, png, webp), `.cls` holds its class. Braces and globs name several shards. Only headers are
 * read.
 *
 * @throws DataError when shards are missing, damaged or hold no images.
 */
export function openTar(spec: string, pattern: string): Dataset {
  const archives = matchingFiles(pattern, 'tar archive');
  const notes: string[] = [];
  const samples = archives.flatMap((archive) => samplesOf(archive, notes));
  if (samples.length === 0) {
    throw new DataError(
      `${pattern} should hold images (name.jpg, .png, .webp); found none in ${archives.length} archives.`,
      {
        hint: 'Each sample is an image KEY.jpg, optionally with its class in KEY.cls.',
      },
    );
  }
  const labels = samples.map((sample) => sample.label);
  const labelled = labels.filter((label) => label !== undefined);
  const numbered = labelled.length === samples.length ? numberLabels(labelled) : undefined;
  if (numbered === undefined && labelled.length > 0) {
    notes.push(`the class labels are left out, since ${samples.length - labelled.length} images have none (.cls)`);
  }
  return {
    spec,
    size: samples.length,
    ...(numbered && { classes: numbered.classes }),
    notes,
    fingerprint: fingerprintOf(samples.flatMap(({ name, label, length }) => [name, label ?? '', length])),
    item(index: number): Item {
      const { archive, name, offset, length } = samples[index]!;
      const item: Item = {
        image: { kind: 'range', path: archive, offset, length, name },
        name: `${basename(archive)}/${name}`,
      };
      if (numbered) item.label = numbered.ids[index]!;
      return item;
    },
  };
}

function samplesOf(archive: string, notes: string[]): Sample[] {
  const file = openSync(archive, 'r');
  try {
    const samples = new Map<string, Sample>();
    const labels = new Map<string, string>();
    let doubles = 0;
    for (const entry of entriesOf(file, archive)) {
      const { key, extension } = keyOf(entry.name);
      if (extension === 'cls') labels.set(key, read(file, archive, entry.offset, entry.length).toString('utf8').trim());
      if (!IMAGE_EXTENSIONS.has(extension)) continue;
      if (samples.has(key)) doubles++;
      else samples.set(key, { ...entry, archive, label: undefined });
    }
    if (doubles > 0) notes.push(`${archive}: ${doubles} images share the key of another and are left out`);
    for (const [key, sample] of samples) sample.label = labels.get(key);
    return [...samples.values()];
  } finally {
    closeSync(file);
  }
}

/** WebDataset's rule: the key ends at the first dot of the base name. */
function keyOf(name: string): { key: string; extension: string } {
  const dot = name.indexOf('.', name.lastIndexOf('/') + 1);
  return dot < 0
    ? { key: name, extension: '' }
    : { key: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() };
}

/** The files of an archive, reading headers and skipping contents. Hidden files are left out. */
function* entriesOf(file: number, archive: string): Generator<Entry> {
  const { size: total } = fstatSync(file);
  let extended: Pax | undefined;
  let shared: Pax | undefined;
  for (let at = 0; at + BLOCK <= total; ) {
    const header = headerOf(read(file, archive, at, BLOCK), archive, at, extended, shared);
    if (header.nullBlock) return;
    if (!header.cksumValid)
      throw damaged(archive, at === 0 ? 'it is not a tar archive' : `its header at byte ${at} is invalid`);
    const offset = at + BLOCK;
    const length = header.size ?? 0;
    // Sizes may be written so that they are negative: the walk would not end.
    if (!(length >= 0 && offset + length <= total)) throw damaged(archive, `it is truncated in ${header.path}`);
    at = offset + Math.ceil(length / BLOCK) * BLOCK;
    const text = () => read(file, archive, offset, length).toString('utf8');
    if (header.type === 'ExtendedHeader' || header.type === 'OldExtendedHeader') extended = Pax.parse(text(), extended);
    else if (header.type === 'GlobalExtendedHeader') shared = Pax.parse(text(), shared, true);
    else if (header.type === 'NextFileHasLongPath' || header.type === 'OldGnuLongPath') {
      extended = Object.assign(Object.create(null), extended, { path: text().replace(/\0.*$/s, '') }) as Pax;
    } else {
      const name = (header.path ?? '').replace(/^(\.\/)+/, '');
      if (CONTENT_TYPES.has(header.type) && !basename(name).startsWith('.')) yield { name, offset, length };
      extended = undefined;
    }
  }
}

function headerOf(block: Buffer, archive: string, at: number, ...extensions: (Pax | undefined)[]): Header {
  try {
    return new Header(block, 0, ...extensions);
  } catch (cause) {
    throw damaged(archive, `its header at byte ${at} is invalid (${(cause as Error).message})`);
  }
}

function read(file: number, archive: string, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(file, bytes, 0, length, offset) !== length) throw damaged(archive, 'it is truncated');
  return bytes;
}

function damaged(archive: string, reason: string): DataError {
  return new DataError(`${archive} should be a plain tar archive, but ${reason}.`, {
    hint: 'Copy it again, or unpack it if it is compressed (.tar.gz, .tar.zst).',
  });
}
