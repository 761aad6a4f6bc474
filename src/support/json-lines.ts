import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { storageError } from './atomic-file.js';
import { DataError } from './errors.js';

/**
 * Appends records to a JSON Lines file, one `write` per record, so that a kill loses at most the last line. Opening
 * mends a file that ends in such a torn line: a complete record gets its line end, half a record is cut off.
 */
export class JsonLinesWriter {
  private file: number | undefined;

  /** @throws TesseraError `STORAGE` when the file cannot be opened for writing. */
  constructor(readonly path: string) {
    try {
      this.file = openSync(path, 'a+');
      mendLastLine(this.file);
    } catch (cause) {
      throw storageError(cause, path);
    }
  }

  /** Writes one record as one line. It reaches the operating system before this returns. */
  append(record: unknown): void {
    if (this.file === undefined) throw new Error(`${this.path} was closed (this is a bug in Tessera)`);
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    try {
      const written = writeSync(this.file, line);
      // A short write means that the disk is full; the rest then fails with the reason.
      if (written < line.length) writeSync(this.file, line, written);
    } catch (cause) {
      throw storageError(cause, this.path, line.length);
    }
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }
}

/**
 * Every record of a JSON Lines file. A torn last line (no line end, not JSON) is left out: its writer was killed, or
 * is writing it right now.
 *
 * @throws DataError naming file and line for damage anywhere else.
 */
export function readJsonLines(path: string): unknown[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  const tail = lines.pop() ?? '';
  const records = lines.map((line, index) => {
    try {
      return JSON.parse(line) as unknown;
    } catch (cause) {
      throw new DataError(`${path}:${index + 1}: expected one JSON document, received ${excerpt(line)}`, {
        hint: 'The file was changed by something else than Tessera; remove that line to read the rest.',
        cause,
      });
    }
  });
  if (isJson(tail)) records.push(JSON.parse(tail));
  return records;
}

function mendLastLine(file: number): void {
  const size = fstatSync(file).size;
  if (size === 0) return;
  const tail = lastLine(file, size);
  if (tail.length === 0) return;
  if (isJson(tail.toString())) writeSync(file, '\n');
  else ftruncateSync(file, size - tail.length);
}

function lastLine(file: number, size: number): Buffer {
  for (let length = Math.min(size, 65536); ; length = Math.min(size, length * 4)) {
    const tail = Buffer.alloc(length);
    readSync(file, tail, 0, length, size - length);
    const lineEnd = tail.lastIndexOf(10);
    if (lineEnd >= 0) return tail.subarray(lineEnd + 1);
    if (length === size) return tail;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function excerpt(line: string): string {
  if (line.trim() === '') return 'an empty line';
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}
