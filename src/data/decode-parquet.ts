import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { compressors } from 'hyparquet-compressors';
import { DataError } from '../support/errors.js';

/** How many row groups a worker keeps decoded: enough for sequential reading and for small sets. */
const KEPT_GROUPS = 4;

interface OpenFile {
  path: string;
  file: AsyncBuffer;
  metadata: FileMetaData;
}

const files = new Map<string, Promise<OpenFile>>();
const groups = new Map<string, Promise<unknown[]>>();

/**
 * The bytes in one cell of a parquet file; `column` may be nested with dots. Decodes the column of the row group around
 * the row and keeps the last few, per thread.
 *
 * @throws DataError when the cell does not hold bytes.
 */
export async function readParquetCell(cell: { path: string; row: number; column: string }): Promise<Uint8Array> {
  const open = await openFile(cell.path);
  const [start, end] = groupAround(open.metadata, cell.row);
  const key = `${cell.path}\0${start}\0${cell.column}`;
  const found = groups.get(key) ?? readColumn(open, cell.column, start, end);
  // Put it last, so that the first one is the one used longest ago.
  groups.delete(key);
  groups.set(key, found);
  if (groups.size > KEPT_GROUPS) groups.delete(groups.keys().next().value as string);
  const value = (await found)[cell.row - start];
  if (!(value instanceof Uint8Array)) {
    throw new DataError(
      `row ${cell.row}, column ${cell.column} holds ${value === null ? 'nothing' : typeof value}, not the bytes of an image`,
    );
  }
  return value;
}

/** Values [start, end) of a column, which may be nested with dots; byte arrays stay bytes. @throws {DataError} damaged. */
export async function readColumn(
  { path: name, file, metadata }: OpenFile,
  column: string,
  start: number,
  end: number,
): Promise<unknown[]> {
  const path = column.split('.');
  const rows = await parquetReadObjects({
    ...{ file, metadata, compressors, utf8: false },
    columns: [path[0]!],
    rowStart: start,
    rowEnd: end,
  }).catch((cause: Error) => {
    throw new DataError(`${name} is damaged in rows ${start} to ${end - 1} of column ${column}: ${cause.message}`, {
      hint: 'Copy it again.',
      cause,
    });
  });
  return rows.map((row) => path.reduce<unknown>((value, key) => (value as Record<string, unknown> | null)?.[key], row));
}

/** Opens a parquet file, once per thread. @throws what the reader throws, or an Error of ours: its numbers of rows are wrong. */
export function openFile(path: string): Promise<OpenFile> {
  let open = files.get(path);
  if (open === undefined) {
    open = asyncBufferFromFile(path).then(async (file) => {
      const metadata = await parquetMetadataAsync(file);
      checkRows(metadata);
      return { path, file: checked(file, metadata), metadata };
    });
    files.set(path, open);
  }
  return open;
}

/** The same file, that refuses pages without a length as it reads them: the reader would go on in their place for ever. */
function checked(file: AsyncBuffer, { row_groups }: FileMetaData): AsyncBuffer {
  const columns = row_groups.flatMap((group) => group.columns.flatMap(({ meta_data }) => meta_data ?? []));
  return {
    byteLength: file.byteLength,
    async slice(start, end = file.byteLength) {
      const bytes = await file.slice(start, end);
      for (const { dictionary_page_offset, data_page_offset, total_compressed_size } of columns) {
        const [from, size] = [Number(dictionary_page_offset || data_page_offset), Number(total_compressed_size)];
        if (from >= start && from + size <= end) checkPages(new DataView(bytes, from - start, size));
      }
      return bytes;
    },
  };
}

function checkPages(view: DataView): void {
  const reader = { view, offset: 0 };
  while (reader.offset < view.byteLength - 1) {
    // Whatever the file has there.
    const size: unknown = parquetHeader(reader).compressed_page_size;
    if (!(typeof size === 'number' && size >= 0)) throw new Error('a page has no length');
    reader.offset += size;
  }
}

function checkRows({ num_rows, row_groups }: FileMetaData): void {
  const counts = row_groups.map((group) => Number(group.num_rows));
  const rows = counts.reduce((sum, count) => sum + count, 0);
  if (!Number.isSafeInteger(rows) || counts.some((count) => count < 0) || rows !== Number(num_rows))
    throw new Error(`it claims ${num_rows} rows, and its groups have ${rows}`);
}

function groupAround(metadata: FileMetaData, row: number): [number, number] {
  let start = 0;
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows);
    if (row < end) return [start, end];
    start = end;
  }
  throw new DataError(`row ${row} does not exist: the file has ${start} rows`);
}
