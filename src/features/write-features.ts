// N images · D width
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { fileWriter, parquetWriteRows } from 'hyparquet-writer';
import { storageError } from '../support/atomic-file.js';
import { UsageError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { writeSafetensors } from '../tensor/safetensors.js';
import { scope, Tensor } from '../tensor/tensor.js';

/** One vector an image, and what is known of the image. */
export interface FeatureTable {
  /** Float32 on the CPU. */
  readonly features_ND: Tensor;
  readonly names: readonly string[];
  /** (N) ids into `classes`, where images have classes. */
  readonly labels?: Int32Array;
  readonly classes?: readonly string[];
}

/** Endings of the files that `writeFeatures` writes. */
const featureFileEndings = ['.safetensors', '.npy', '.parquet'] as const;

/** Rows turned to JavaScript numbers at once, so that memory does not grow with the set. */
const CHUNK = 1000;

/**
 * Writes features to a file of the kind that its ending says, under its name only when complete:
 *
 * - `.safetensors`: `features` (N, D) float32 and, where there are classes, `labels` (N) int64;
 * - `.npy`: the features (N, D) float32;
 * - `.parquet`: a row an image with `name`, `label`, `class` (where there are classes) and `features`, a list of floats.
 *
 * The first two have no room for names: a table with the columns name, label and class, separated by tabs, is written
 * beside them as `FILE.tsv`.
 *
 * @returns the files written
 * @throws {UsageError} another ending. @throws {TesseraError} `STORAGE`
 */
export function writeFeatures(path: string, table: FeatureTable): string[] {
  const ending = featureFileEndings.find((known) => path.toLowerCase().endsWith(known));
  if (ending === undefined) {
    throw new UsageError(`Expected a file ending in ${featureFileEndings.join(', ')}, received ${path}.`);
  }
  const write = { '.safetensors': writeTensors, '.npy': writeNpy, '.parquet': writeParquet }[ending];
  if (ending === '.parquet') return [complete(path, (partial) => write(partial, table))];
  const names = complete(`${path}.tsv`, (partial) => writeChunks(partial, nameLines(table)));
  return [complete(path, (partial) => write(partial, table)), names];
}

function complete(path: string, write: (partial: string) => void): string {
  const partial = `${path}.partial-${process.pid}`;
  try {
    write(partial);
    renameSync(partial, path);
    return path;
  } catch (cause) {
    rmSync(partial, { force: true });
    throw storageError(cause, path);
  }
}

function writeTensors(path: string, { features_ND, labels }: FeatureTable): void {
  scope(() => {
    const tensors = new Map([['features', features_ND]]);
    if (labels) tensors.set('labels', ops.to(Tensor.from(labels, [labels.length]), 'int64'));
    writeSafetensors(path, tensors);
  });
}

/** Source: numpy.lib.format, version 1.0: the header ends in a line end, and data begins at a multiple of 64 bytes. */
function writeNpy(path: string, { features_ND }: FeatureTable): void {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${features_ND.shape.join(', ')}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const header = Buffer.alloc(10 + length, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(length, 8);
  header.write(text, 10);
  header.write('\n', 10 + length - 1);
  writeChunks(path, npyChunks(header, features_ND));
}

function* npyChunks(header: Uint8Array, features_ND: Tensor): Generator<Uint8Array> {
  yield header;
  for (const { values } of chunksOf(features_ND)) yield new Uint8Array(values.buffer);
}

function writeParquet(path: string, table: FeatureTable): void {
  const { labels, classes } = table;
  const list = { repetition_type: 'REQUIRED', converted_type: 'LIST', num_children: 1 } as const;
  const known = labels && classes ? 2 : 0;
  const file = fileWriter(path);
  parquetWriteRows({
    writer: file,
    rows: parquetRows(table),
    columns: ['name', ...(known ? ['label', 'class'] : []), 'features'].map((name) => ({ name })),
    schema: [
      { name: 'root', num_children: 2 + known },
      { name: 'name', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      ...(known
        ? ([
            { name: 'label', type: 'INT32', repetition_type: 'REQUIRED' },
            { name: 'class', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
          ] as const)
        : []),
      { name: 'features', ...list },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
    ],
    rowGroupSize: CHUNK,
  });
}

function* parquetRows({ features_ND, names, labels, classes }: FeatureTable): Generator<Record<string, unknown>> {
  const width = features_ND.size(1);
  for (const { start, values } of chunksOf(features_ND)) {
    for (let i = 0; i * width < values.length; i++) {
      const label = labels?.[start + i];
      yield {
        name: names[start + i],
        ...(label !== undefined && classes && { label, class: classes[label] }),
        features: Array.from(values.subarray(i * width, (i + 1) * width)),
      };
    }
  }
}

function* nameLines({ names, labels, classes }: FeatureTable): Generator<Uint8Array> {
  yield Buffer.from(labels ? 'name\tlabel\tclass\n' : 'name\n');
  for (const [i, name] of names.entries()) {
    const label = labels?.[i];
    yield Buffer.from(`${name}${label === undefined ? '' : `\t${label}\t${classes?.[label] ?? ''}`}\n`);
  }
}

function* chunksOf(features_ND: Tensor): Generator<{ start: number; values: Float32Array }> {
  const rows = features_ND.size(0);
  for (let start = 0; start < rows; start += CHUNK) {
    const length = Math.min(CHUNK, rows - start);
    const values = scope(() => ops.narrow(features_ND, 0, start, length).data() as Float32Array);
    yield { start, values };
  }
}

function writeChunks(path: string, chunks: Iterable<Uint8Array>): void {
  const file = openSync(path, 'w');
  try {
    for (const chunk of chunks) for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
