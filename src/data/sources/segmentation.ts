import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../support/errors.js';
import { type Dataset, fingerprintOf, type Item, namesAndSizes } from '../dataset.js';
import { extensionOf, filesBelow, imagesAmong, requireFolder } from './files.js';
import { noImages } from './folder.js';

const stemOf = (name: string) => name.slice(0, name.length - extensionOf(name).length - 1);

/**
 * Images with pixel labels: the label of images/a/b.jpg is labels/a/b.png, a PNG that holds class ids. Class names are
 * taken from `classes.txt` in the data set's folder if it is there (lines of id, tab, name).
 *
 * @throws DataError without images, or when label files are missing.
 */
export function openSegmentation(
  spec: string,
  path: string,
  options: { images: string; labels: string; ignore: readonly number[] },
): Dataset {
  requireFolder(path);
  const imageFolder = join(path, options.images);
  const labelFolder = join(path, options.labels);
  requireFolder(imageFolder);
  requireFolder(labelFolder);
  const files = filesBelow(imageFolder);
  const { images, notes } = imagesAmong(files);
  if (images.length === 0) throw noImages(imageFolder, files);

  const labels = new Map(
    filesBelow(labelFolder)
      .filter((file) => extensionOf(file.name) === 'png')
      .map((file) => [stemOf(file.name), file]),
  );
  const missing = images.filter((image) => !labels.has(stemOf(image.name)));
  if (missing.length > 0) throw labelsMissing(labelFolder, images.length, missing);
  const labelOf = (index: number) => labels.get(stemOf(images[index]!.name))!;
  const pixelClasses = readClasses(join(path, 'classes.txt'));
  return {
    spec,
    size: images.length,
    ...(pixelClasses && { pixelClasses }),
    ignoreLabels: options.ignore,
    notes: labels.size > images.length ? [...notes, `${labels.size - images.length} label files have no image`] : notes,
    fingerprint: fingerprintOf(namesAndSizes(images.flatMap((image, index) => [image, labelOf(index)]))),
    item(index: number): Item {
      const { name } = images[index]!;
      return {
        image: { kind: 'file', path: join(imageFolder, name) },
        name,
        pixels: { kind: 'file', path: join(labelFolder, labelOf(index).name) },
      };
    },
  };
}

function labelsMissing(folder: string, count: number, missing: readonly { name: string }[]): DataError {
  const lines = missing.slice(0, 20).map((image) => `  ${image.name} -> ${stemOf(image.name)}.png`);
  if (missing.length > 20) lines.push(`  and ${missing.length - 20} more`);
  return new DataError(
    `${missing.length} of ${count} images have no label file below ${folder}:\n${lines.join('\n')}`,
    { hint: 'Add them, remove these images, or correct images= and labels=.' },
  );
}

/** Names by id from lines of id, tab, name; ids without a line are named by their number. */
function readClasses(path: string): string[] | undefined {
  if (!existsSync(path)) return undefined;
  const names: string[] = [];
  for (const line of readFileSync(path, 'utf8').split(/\r?\n/)) {
    const match = /^(\d{1,3})\t(.+)$/.exec(line);
    if (match && Number(match[1]) < 256) names[Number(match[1])] = match[2]!.trim();
  }
  return names.length > 0 ? Array.from(names, (name, id) => name ?? String(id)) : undefined;
}
