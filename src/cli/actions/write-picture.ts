import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { refreshReport } from '../../report/refresh-report.js';
import { type PictureText, saveRunPicture } from '../../report/run-pictures.js';
import type { RunFolder } from '../../runs/run-folder.js';
import { storageError, writeFileAtomic } from '../../support/atomic-file.js';
import { byteText } from '../../support/byte-text.js';
import { type CommandResult, cardText } from '../output.js';
import { programName } from '../program-name.js';

/** A drawn picture, and what is told about it. */
export interface Picture {
  /** Of its file in `images/` of a run, without ending. */
  readonly name: string;
  /** PNG. */
  readonly content: Uint8Array;
  /** For the report of the run. */
  readonly text: PictureText;
  /** Lines of the card. */
  readonly facts: readonly (readonly [string, string])[];
  /** Fields of the JSON document beside `out`, the absolute path, and `report`. */
  readonly json: Readonly<Record<string, unknown>>;
}

/**
 * Writes a picture to `out`, by default `images/` of the run, or the current folder where there is none. A run keeps it in
 * any case, and its report is written anew.
 *
 * @throws TesseraError `STORAGE`; DataError where the run's report or log are damaged.
 */
export function writePicture(
  picture: Picture,
  place: { run: RunFolder | undefined; out: string | undefined },
): CommandResult {
  const { name, content, text, facts, json } = picture;
  const { run, out } = place;
  const kept = run && saveRunPicture(run, name, { ...text, png: content });
  const path = out ?? kept ?? `${name}.png`;
  if (path !== kept) writeFile(path, content);
  const report = run && refreshReport(run, programName());
  return {
    card: cardText(path, [...facts, ['size', byteText(content.byteLength)], ['report', report]]),
    json: { out: resolve(path), ...json, ...(report !== undefined && { report }) },
  };
}

/** Writes a file, and makes the folder it lies in where that is missing. @throws TesseraError `STORAGE` */
export function writeFile(path: string, content: string | Uint8Array): void {
  const folder = dirname(resolve(path));
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw storageError(cause, folder);
  }
  writeFileAtomic(path, content);
}
