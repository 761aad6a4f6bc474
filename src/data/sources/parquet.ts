import { basename } from 'node:path';
import { type FileMetaData, parquetSchema, type SchemaTree } from 'hyparquet';
import { DataError } from '../../support/errors.js';
import { type Dataset, fingerprintOf, type Item } from '../dataset.js';
import { openFile, readColumn } from '../decode-parquet.js';
import { matchingFiles } from './files.js';
import { numberLabels } from './list.js';

interface Part {
  path: string;
  /** Index of the first row in the data set. */
  start: number;
  rows: number;
  metadata: FileMetaData;
}

/**
 * Images in parquet files, as the Hugging Face hub stores them: a column of encoded images (`image.bytes`) and optionally
 * one of labels. Class names come from the hub's metadata in the file, where they are. Reads the metadata and the labels.
 *
 * @throws DataError when files or columns are missing.
 */
export async function openParquet(
  spec: string,
  pattern: string,
  columns: { image: string; label: string | undefined },
): Promise<Dataset> {
  const parts = await openParts(matchingFiles(pattern, 'parquet file'), columns);
  const last = parts.at(-1)!;
  const size = last.start + last.rows;
  if (size === 0) throw new DataError(`${pattern} should hold images; found no rows in ${parts.length} files.`);
  const labels = columns.label === undefined ? undefined : await readLabels(parts, columns.label);
  return {
    spec,
    size,
    ...(labels && { classes: labels.classes }),
    notes: [],
    fingerprint: fingerprintOf(
      parts.flatMap(({ path, rows, metadata }) => [basename(path), rows, metadata.metadata_length]),
    ),
    item(index: number): Item {
      const part = parts.findLast(({ start }) => start <= index)!;
      const row = index - part.start;
      const item: Item = {
        image: { kind: 'parquet', path: part.path, row, column: columns.image },
        name: `${basename(part.path)}#${row}`,
      };
      if (labels) item.label = labels.ids[index]!;
      return item;
    },
  };
}

async function openParts(
  paths: readonly string[],
  columns: { image: string; label: string | undefined },
): Promise<Part[]> {
  const parts: Part[] = [];
  let start = 0;
  for (const path of paths) {
    const metadata = await metadataOf(path);
    const leaves = leafNames(parquetSchema(metadata));
    const missing = [columns.image, columns.label].filter((name) => name !== undefined && !leaves.includes(name));
    if (missing.length > 0) {
      throw new DataError(`${path} has no column ${missing.join(', ')}; it has ${leaves.join(', ')}.`, {
        hint: 'Name the column with the encoded images, as in ?image=image.bytes&label=label.',
      });
    }
    const rows = Number(metadata.num_rows);
    parts.push({ path, start, rows, metadata });
    start += rows;
  }
  return parts;
}

async function metadataOf(path: string): Promise<FileMetaData> {
  try {
    return (await openFile(path)).metadata;
  } catch (cause) {
    throw new DataError(`${path} should be a parquet file, and cannot be read: ${(cause as Error).message}.`, {
      hint: 'Check that it was copied completely.',
      cause,
    });
  }
}

function leafNames(tree: SchemaTree): string[] {
  return tree.children.length === 0 ? [tree.path.join('.')] : tree.children.flatMap(leafNames);
}

async function readLabels(
  parts: readonly Part[],
  column: string,
): Promise<{ classes: readonly string[]; ids: number[] }> {
  const texts: string[] = [];
  for (const { path, rows } of parts) {
    for (const value of await readColumn(await openFile(path), column, 0, rows)) {
      const text = value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value ?? '');
      if (text === '') throw new DataError(`${path}: column ${column} has no value in row ${texts.length}.`);
      texts.push(text);
    }
  }
  const labels = numberLabels(texts);
  const names = hubClassNames(parts[0]!.metadata, column);
  return names !== undefined && names.length >= labels.classes.length ? { ...labels, classes: names } : labels;
}

/** Class names in the metadata that Hugging Face's `datasets` writes: info.features.<column>.names. */
function hubClassNames(metadata: FileMetaData, column: string): string[] | undefined {
  const entry = metadata.key_value_metadata?.find(({ key }) => key === 'huggingface');
  if (entry?.value === undefined) return undefined;
  try {
    const names = JSON.parse(entry.value)?.info?.features?.[column]?.names;
    return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    // Not ours to judge: the names are a nicety, the labels are in the column.
    return undefined;
  }
}
