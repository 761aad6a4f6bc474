// N images · P patches of an image · D width · S side in pixels
import { availableParallelism } from 'node:os';
import type { Dataset } from '../data/dataset.js';
import type { BrokenImage } from '../data/loader.js';
import type { ImageEncoder } from '../models/encoder.js';
import { DataError, UsageError } from '../support/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import type { CacheEntry } from './cache-entry.js';
import { type EvaluationView, ExtractionPass, type Wanted } from './extraction-pass.js';
import type { FeatureCache, FeatureKey } from './feature-cache.js';
import { type BlockRequest, type FeatureKind, partName, partsOf } from './parts.js';

/** What is extracted, and from what. */
export interface ExtractOptions {
  readonly encoder: ImageEncoder;
  readonly dataset: Dataset;
  /** Side of the images in pixels, a multiple of the encoder's patch size. */
  readonly size: number;
  readonly view: EvaluationView;
  /** Of the encoder's output. */
  readonly kinds: readonly FeatureKind[];
  /** Raw outputs of blocks as well; together with `kinds` at least one part. */
  readonly blocks?: BlockRequest | undefined;
  /** Also read the pixel labels (false). */
  readonly pixels?: boolean;
  /** Images embedded at once (64). */
  readonly batchSize?: number;
  /** Decoding threads (one a core, at most 8). */
  readonly workers?: number;
  /** Where the encoder is (`cpu`). */
  readonly device?: string;
  /** Where to look first, and to keep what is made; nowhere unless given. */
  readonly cache?: FeatureCache | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Features of one block, before any norm that follows it. */
export interface BlockRows {
  readonly class_ND?: Tensor;
  readonly patchMean_ND?: Tensor;
  readonly patches_NPD?: Tensor;
}

/** Frozen features of a data set, in its order, without the images that cannot be read. Float32 on the CPU. */
export interface Features {
  /** Number of images N. */
  readonly count: number;
  readonly global_ND?: Tensor;
  readonly class_ND?: Tensor;
  /** Means of the registers. */
  readonly registers_ND?: Tensor;
  readonly patchMean_ND?: Tensor;
  /** Patches row by row. */
  readonly patches_NPD?: Tensor;
  /** By block, those asked for. */
  readonly blocks: ReadonlyMap<number, BlockRows>;
  /** (N) of the images in the data set. */
  readonly indices: Int32Array;
  /** (N) class ids, -1 where there is none. */
  readonly labels: Int32Array;
  /** (N, S, S) class ids of pixels at evaluation resolution, when asked for. */
  readonly pixels?: Uint8Array;
  readonly names: readonly string[];
  /** Images left out. */
  readonly broken: readonly BrokenImage[];
  /** Frees the tensors. */
  dispose(): void;
}

/**
 * Features of every image of a data set, streamed through the encoder; the caller disposes of them. Memory: what is
 * returned, 4 bytes a number (N·D, or N·P·D for patches), and two decoded batches. With a cache, features lie in its files
 * and take memory only as they are looked at; what is there already is not computed again. Pixel labels always take a byte
 * each.
 *
 * @throws {UsageError} the size is not a multiple of the patch size, or the encoder lacks a part.
 * @throws {TesseraError} `MEMORY` when the features would take more than 60 % of the free memory (without a cache, or where
 * its disk is full); `NOT_FINITE` when the encoder gives no finite numbers.
 * @throws {DataError} too many images are broken.
 */
export async function extractFeatures(options: ExtractOptions): Promise<Features> {
  const { encoder, size, cache } = options;
  checkSize(size, encoder.patchSize);
  const wanted = wantedOf(options);
  const shelf = cache && encoder.fingerprint ? new Shelf(cache, options, encoder.fingerprint()) : undefined;
  const found = shelf?.find(wanted) ?? new Map<string, CacheEntry>();
  const missing = wanted.filter(({ name }) => !found.has(name));
  if (missing.length === 0) return featuresOf(options, found, []);
  const made = await extract(options, missing, shelf);
  if (sameIndices([...found.values(), ...made.entries.values()])) {
    return featuresOf(options, new Map([...found, ...made.entries]), made.broken);
  }
  // An image was broken before and is not now, or the other way round: rows of old and new parts do not match.
  for (const { tensor } of [...found.values(), ...made.entries.values()]) tensor.dispose();
  const all = await extract(options, wanted, shelf);
  return featuresOf(options, all.entries, all.broken);
}

/** @throws {UsageError} the side of the images is not a multiple of the patch size. */
export function checkSize(size: number, patchSize: number): void {
  if (size > 0 && size % patchSize === 0) return;
  const near = Math.max(1, Math.round(size / patchSize)) * patchSize;
  throw new UsageError(
    `Expected images with a multiple of ${patchSize} pixels a side, the patch size, received ${size}.`,
    {
      hint: `The nearest size is ${near}.`,
    },
  );
}

function wantedOf({ kinds, blocks, pixels }: ExtractOptions): Wanted[] {
  const parts = partsOf(kinds, blocks).map((part) => ({ name: partName(part), part }));
  return pixels ? [...parts, { name: PIXELS }] : parts;
}

const PIXELS = 'pixels';

async function extract(options: ExtractOptions, wanted: readonly Wanted[], shelf: Shelf | undefined) {
  const { dataset, batchSize = 64, workers = Math.min(8, availableParallelism()), device = 'cpu' } = options;
  const pass = new ExtractionPass({ ...options, batchSize, workers, device, wanted, shelf });
  const { rows, broken, indices } = await pass.run();
  if (indices.length === 0) throw new DataError(`No image of ${dataset.spec} can be read.`);
  return { entries: new Map([...rows].map(([name, tensor]) => [name, { tensor, indices }])), broken };
}

/** The part of a cache that one extraction can use. */
class Shelf {
  readonly #cache: FeatureCache;
  readonly #options: ExtractOptions;
  readonly #model: string;

  constructor(cache: FeatureCache, options: ExtractOptions, model: string) {
    this.#cache = cache;
    this.#options = options;
    this.#model = model;
  }

  /** What is there of the same images. */
  find(wanted: readonly Wanted[]): Map<string, CacheEntry> {
    const found = new Map<string, CacheEntry>();
    for (const one of wanted) {
      const entry = this.#cache.find(this.#key(one));
      if (entry) found.set(one.name, entry);
    }
    if (sameIndices([...found.values()])) {
      this.#cache.counts.found += found.size;
      return found;
    }
    for (const { tensor } of found.values()) tensor.dispose();
    return new Map();
  }

  has(wanted: Wanted): boolean {
    return this.#cache.has(this.#key(wanted));
  }

  hasRoom(bytes: number): boolean {
    return this.#cache.hasRoom(bytes);
  }

  writer(wanted: Wanted) {
    this.#cache.counts.made++;
    return this.#cache.writer(this.#key(wanted));
  }

  prune(): void {
    this.#cache.prune();
  }

  #key({ name, part }: Wanted): FeatureKey {
    const { dataset, view, size, device = 'cpu' } = this.#options;
    const images = { data: dataset.fingerprint, view, size, part: name };
    return part ? { ...images, model: this.#model, device: device.split(':')[0]! } : images;
  }
}

function sameIndices(entries: readonly CacheEntry[]): boolean {
  const [first, ...others] = entries;
  return others.every(({ indices }) => Buffer.from(indices.buffer).equals(Buffer.from(first!.indices.buffer)));
}

function featuresOf(
  { dataset, kinds, blocks }: ExtractOptions,
  entries: ReadonlyMap<string, CacheEntry>,
  broken: readonly BrokenImage[],
): Features {
  const [{ indices }] = [...entries.values()] as [CacheEntry];
  const items = Array.from(indices, (index) => dataset.item(index));
  const pixels = entries.get(PIXELS)?.tensor;
  const labels = pixels?.data() as Uint8Array | undefined;
  pixels?.dispose();
  const tensorOf = (kind: FeatureKind, block?: number) =>
    entries.get(partName({ kind, ...(block !== undefined && { block }) }))?.tensor;
  const rowsOf = (of: readonly FeatureKind[], block?: number) =>
    Object.fromEntries(of.map((kind) => [kind === 'patches' ? 'patches_NPD' : `${kind}_ND`, tensorOf(kind, block)]));
  return {
    count: indices.length,
    ...rowsOf(kinds),
    blocks: new Map(blocks?.of.map((block) => [block, rowsOf(blocks.kinds, block)])),
    indices,
    labels: Int32Array.from(items, ({ label }) => label ?? -1),
    ...(labels && { pixels: labels }),
    names: items.map(({ name }) => name),
    broken: broken.length > 0 ? broken : leftOut(dataset, indices),
    dispose: () => {
      for (const { tensor } of entries.values()) tensor.dispose();
    },
  };
}

/** Images that features from a cache lack. */
function leftOut(dataset: Dataset, indices: Int32Array): BrokenImage[] {
  if (indices.length === dataset.size) return [];
  const read = new Set(indices);
  return Array.from({ length: dataset.size }, (_, index) => index)
    .filter((index) => !read.has(index))
    .map((index) => ({ name: dataset.item(index).name, reason: 'it could not be read when the features were made' }));
}
