import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { RunFolder } from '../runs/run-folder.js';
import { storageError, writeFileAtomic } from '../support/atomic-file.js';
import { DataError } from '../support/errors.js';

const textSchema = z.strictObject({
  /** Of its section in the report. */
  title: z.string(),
  /** What to see in it, in a sentence or two. */
  caption: z.string(),
});

/** What the report says about a picture. */
export type PictureText = z.output<typeof textSchema>;

/** A picture of a run with its text: a PNG file. */
export interface RunPicture extends PictureText {
  readonly png: Uint8Array;
}

/** Kinds of pictures in the order of the report; others come after them, by name. */
const order = [
  'pca',
  'clusters',
  'dictionary',
  'similarity',
  'attention',
  'neighbours',
  'confusion',
  'blocks',
  'masks',
];

/**
 * Keeps a picture in `images/` of a run, as NAME.png with its text beside it in NAME.json, so that reports show it.
 *
 * @returns the path of the picture @throws TesseraError `STORAGE`
 */
export function saveRunPicture(run: RunFolder, name: string, { png, title, caption }: RunPicture): string {
  try {
    mkdirSync(run.images, { recursive: true });
  } catch (cause) {
    throw storageError(cause, run.images);
  }
  const path = join(run.images, `${name}.png`);
  writeFileAtomic(path, png);
  writeFileAtomic(join(run.images, `${name}.json`), `${JSON.stringify({ title, caption }, undefined, 2)}\n`);
  return path;
}

/** The pictures of a run that have a text. @throws DataError naming a text that is damaged. */
export function readRunPictures(run: RunFolder): RunPicture[] {
  if (!existsSync(run.images)) return [];
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return readdirSync(run.images)
    .flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []))
    .filter((name) => existsSync(join(run.images, `${name}.png`)))
    .sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1))
    .map((name) => ({
      ...readText(join(run.images, `${name}.json`)),
      png: readFileSync(join(run.images, `${name}.png`)),
    }));
}

function readText(path: string): PictureText {
  try {
    return textSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new DataError(`${path} is not the text of a picture`, {
      cause,
      hint: 'Delete it and draw the picture again.',
    });
  }
}
