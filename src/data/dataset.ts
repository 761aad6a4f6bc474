import { createHash } from 'node:crypto';

/** A built-in scene, drawn from its four numbers; nothing is stored. */
export interface SceneAddress {
  kind: 'scene';
  seed: number;
  split: string;
  index: number;
  size: number;
}

/** Where a worker finds one image. Plain data, so that it can be sent to a worker. */
export type ImageSource =
  | { kind: 'file'; path: string }
  /** Bytes [offset, offset + length) of a file: an entry of a tar archive, called `name` there. */
  | { kind: 'range'; path: string; offset: number; length: number; name: string }
  /** One cell of a parquet file; `column` may be nested, as in `image.bytes`. */
  | { kind: 'parquet'; path: string; row: number; column: string }
  | SceneAddress;

/** Where a worker finds the pixel labels of an image: a PNG whose 8-bit values or palette indices are class ids. */
export type LabelSource = { kind: 'file'; path: string } | SceneAddress;

/** One image of a data set. */
export interface Item {
  image: ImageSource;
  /** Unique within the data set and stable between runs: a path relative to the data set, usually. */
  name: string;
  /** Class id, an index into `Dataset.classes`. */
  label?: number;
  /** Pixel labels, in a segmentation data set. */
  pixels?: LabelSource;
}

/** An indexed collection of images. Opening one reads names and sizes; nothing is decoded. */
export interface Dataset {
  /** What the user typed. */
  readonly spec: string;
  /** Number of images, at least 1. */
  readonly size: number;
  /** Class names; present exactly when every item has a label. */
  readonly classes?: readonly string[];
  /** Names of the pixel classes by id, where known (segmentation). */
  readonly pixelClasses?: readonly string[];
  /** Ids in the pixel labels that stand for "no class" (segmentation). */
  readonly ignoreLabels?: readonly number[];
  /** What was left out while opening, as sentences to show ("12 files have a format that is not read: .heic 12"). */
  readonly notes: readonly string[];
  /** SHA-256 over names and sizes in order: equal when a resumed run sees the same images. */
  readonly fingerprint: string;
  /** The item at `index`, 0 <= index < size. */
  item(index: number): Item;
}

/** Indices of `count` images, or of all where there are fewer, evenly spread over the data set. */
export function evenlySpread({ size }: Dataset, count: number): number[] {
  const taken = Math.min(count, size);
  return Array.from({ length: taken }, (_, i) => Math.floor((i * size) / taken));
}

/**
 * SHA-256 (hex) over parts in order. Parts are separated by a zero byte, which no path contains.
 * Fed piecewise, since a data set may have millions of names.
 */
export function fingerprintOf(parts: Iterable<string | number>): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part}\0`);
  return hash.digest('hex');
}

/** Pairs of names and sizes, in the order in which `fingerprintOf` takes them. */
export function* namesAndSizes(entries: Iterable<{ name: string; size: number }>): Generator<string | number> {
  for (const entry of entries) {
    yield entry.name;
    yield entry.size;
  }
}
