import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { storageError, writeFileAtomic } from '../../support/atomic-file.js';
import { byteText } from '../../support/byte-text.js';
import { type CommandResult, cardText } from '../output.js';

/**
 * Writes a picture, and the folder it lies in where that is missing, and tells where it is.
 *
 * @param facts further lines of the card
 * @param json fields beside `out`, the absolute path
 * @throws TesseraError `STORAGE`
 */
export function writePicture(
  path: string,
  content: string | Uint8Array,
  facts: readonly (readonly [string, string])[],
  json: Readonly<Record<string, unknown>>,
): CommandResult {
  const out = resolve(path);
  try {
    mkdirSync(dirname(out), { recursive: true });
  } catch (cause) {
    throw storageError(cause, out);
  }
  writeFileAtomic(out, content);
  return {
    card: cardText(path, [...facts, ['size', byteText(Buffer.byteLength(content))]]),
    json: { out, ...json },
  };
}
