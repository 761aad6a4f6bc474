import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, UsageError } from '../../support/errors.js';
import { type Dataset, fingerprintOf, type Item, namesAndSizes } from '../dataset.js';
import { byName, countByExtension, filesBelow, imagesAmong, requireFolder } from './files.js';

const SPLITS = new Set(['train', 'training', 'val', 'valid', 'validation', 'test']);

/**
 * Images below a folder. When every image lies below a folder of the first level, these folders are the classes, in
 * sorted order. `split` picks a folder below, as in `train`.
 *
 * @throws DataError without images; UsageError when the folder holds splits and none was picked.
 */
export function openFolder(spec: string, path: string, split?: string): Dataset {
  requireFolder(path);
  const folder = split === undefined ? path : join(path, split);
  if (split !== undefined) requireFolder(folder);
  else requireSplit(path);
  const files = filesBelow(folder);
  const { images, notes } = imagesAmong(files);
  if (images.length === 0) throw noImages(folder, files);

  const classOf = (name: string) => name.slice(0, name.indexOf('/'));
  const classes = images.every((image) => image.name.includes('/'))
    ? [...new Set(images.map((image) => classOf(image.name)))].sort(byName)
    : undefined;
  const ids = new Map(classes?.map((name, id) => [name, id]));
  return {
    spec,
    size: images.length,
    ...(classes && { classes }),
    notes,
    fingerprint: fingerprintOf(namesAndSizes(images)),
    item(index: number): Item {
      const { name } = images[index]!;
      const item: Item = { image: { kind: 'file', path: join(folder, name) }, name };
      if (classes) item.label = ids.get(classOf(name))!;
      return item;
    },
  };
}

/** "17 files, none of them an image: .txt 17", and what to do. */
export function noImages(folder: string, files: readonly { name: string }[]): DataError {
  const found =
    files.length === 0
      ? 'it holds no files'
      : `${files.length} files, none of them an image: ${countByExtension(files)}`;
  return new DataError(`${folder} should hold images (jpg, png, webp, gif, tiff, avif); found ${found}.`, {
    hint: 'Point to the folder that holds the images, or convert them to JPEG or PNG first.',
  });
}

/** A folder with train/ and val/ would otherwise become a data set with two classes of these names. */
function requireSplit(path: string): void {
  const folders = readdirSync(path).filter((name) => !name.startsWith('.'));
  const splits = folders.filter((name) => SPLITS.has(name)).sort(byName);
  if (splits.length < 2) return;
  throw new UsageError(`${path} holds the splits ${splits.join(', ')}; one of them must be picked.`, {
    hint: `Use folder://${path}?split=${splits.find((name) => name.startsWith('train')) ?? splits[0]}, or ${join(path, splits[0]!)}.`,
  });
}
