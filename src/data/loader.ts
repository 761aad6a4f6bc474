import { imageLibraries } from '../engine/installation.js';
import { DataError, UsageError } from '../support/errors.js';
import type { Dataset, Item } from './dataset.js';
import { DecodingPool } from './decoding-pool.js';
import type { PixelCache } from './pixel-cache.js';
import { checkViews, type View } from './views.js';
import type { Task } from './worker.js';

/** How many neighbours are tried in the place of a broken image. */
const MAX_TRIES = 100;
/** Share of broken images from which the data set is not worth training on. */
const MAX_BROKEN = 0.05;
/** Distinct images that must have been tried before the share counts (all of them, in a smaller set). */
const MIN_TRIED = 200;
/** Names listed in an error. */
const LISTED = 20;
const REPAIR = 'Repair or remove these files, or list the good ones in a file and use list://.';

/** A batch of decoded samples. Legend: B samples, V views, S size in pixels. */
export interface ImageBatch {
  /** Number of samples B; the last batch of a finite order may be smaller than the others. */
  readonly size: number;
  /**
   * 8-bit RGB over shared memory, sample after sample; within one, view after view, each (S, S, 3). With views of one
   * size this is (B, V, S, S, 3). Never written to again.
   */
  readonly images: Uint8Array;
  /** Size S of each view. */
  readonly viewSizes: readonly number[];
  /** Where each view starts within a sample, in bytes. */
  readonly viewOffsets: readonly number[];
  /** Bytes per sample. */
  readonly sampleBytes: number;
  /** (B) indices into the data set, of the replacement where an image was broken. */
  readonly indices: Int32Array;
  /** Rows of the images that were asked for; what replaces a broken image is good for training, elsewhere a double. */
  readonly asked: Int32Array;
  /** (B) class ids, -1 where there is none. */
  readonly labels: Int32Array;
  /** (B, S, S) class ids of the first view's pixels, when asked for. */
  readonly pixels?: Uint8Array;
  /** (B) names of the images. */
  readonly names: readonly string[];
}

/** An image that could not be read. */
export interface BrokenImage {
  name: string;
  reason: string;
}

/** What a loader reads, and how. */
export interface LoaderOptions {
  dataset: Dataset;
  /** What is cut out of every image, at least one. */
  views: readonly View[];
  batchSize: number;
  /** Indices into the data set; may be endless. */
  order: Iterator<number> | Iterable<number>;
  /** Seed of the crops. */
  seed: number;
  /** Place in the stream of the first sample taken from `order` (0): crops depend on seed and place only. */
  position?: number;
  /** Number of decoding threads, at least 1. */
  workers: number;
  /** Also read the pixel labels (false). */
  pixels?: boolean;
  /** Batches decoded ahead of the one in use (2). */
  prefetch?: number;
  /** Leave out a last batch that is not full (false). */
  dropLast?: boolean;
  /** Where decoded images are kept, so that each is decoded once (nowhere). Batches are the same. */
  cache?: PixelCache | undefined;
  /** Called once for every image found broken, in the order of the samples. */
  onBroken?: (broken: BrokenImage) => void;
}

interface Sample {
  slot: number;
  position: number;
  /** The image to use: the one asked for, or the next one that can be read. */
  index: number;
  /** Those that could not be read before it. */
  broken: { index: number; reason: string }[];
}

/**
 * Decodes batches in threads, ahead of their use. What is in a batch depends on data set, order, views, seed and position
 * only, not on the number of workers. A broken image is reported once and replaced by the next readable one.
 */
export class Loader implements AsyncIterable<ImageBatch> {
  readonly #options: LoaderOptions;
  readonly #order: Iterator<number>;
  readonly #pool: DecodingPool;
  readonly #queue: Promise<() => ImageBatch>[] = [];
  readonly #viewOffsets: number[] = [];
  readonly #sampleBytes: number;
  /** Why images are broken, by index: what the workers found, ahead of what has been reported. */
  readonly #found = new Map<number, string>();
  readonly #reported = new Map<number, string>();
  readonly #tried: Uint8Array;
  #triedCount = 0;
  #position: number;
  #exhausted = false;
  #error: unknown;
  #waitSeconds = 0;

  /** @throws UsageError when the options make no sense, all problems at once. */
  constructor(options: LoaderOptions) {
    checkOptions(options);
    checkViews(options.views);
    this.#options = options;
    this.#order = Symbol.iterator in options.order ? options.order[Symbol.iterator]() : options.order;
    this.#position = options.position ?? 0;
    this.#tried = new Uint8Array(options.dataset.size);
    let bytes = 0;
    for (const view of options.views) {
      this.#viewOffsets.push(bytes);
      bytes += view.size * view.size * 3;
    }
    this.#sampleBytes = bytes;
    const { views, seed, cache } = options;
    this.#pool = new DecodingPool(options.workers, {
      views,
      seed,
      native: imageLibraries(),
      keep: cache !== undefined,
    });
    this.#prefetch();
  }

  /** Number of distinct broken images met so far. */
  get brokenCount(): number {
    return this.#reported.size;
  }

  /** Seconds that `next` has spent waiting for images. */
  get waitSeconds(): number {
    return this.#waitSeconds;
  }

  /**
   * The next batch, or undefined after the last one.
   *
   * @throws DataError when more than 5 % of the images are broken, when no readable one is found in the place of a broken
   * one, when the images are too large to be kept, when a worker dies, or when the loader is closed.
   */
  async next(): Promise<ImageBatch | undefined> {
    if (this.#error !== undefined) throw this.#error;
    const pending = this.#queue.shift();
    if (pending === undefined) return undefined;
    this.#prefetch();
    const start = performance.now();
    this.#pool.hold(true);
    try {
      return (await pending)();
    } catch (error) {
      this.#error = error;
      throw error;
    } finally {
      this.#pool.hold(false);
      this.#waitSeconds += (performance.now() - start) / 1000;
    }
  }

  /** All batches; closes the loader at the end, also when the loop is left early. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ImageBatch> {
    try {
      for (let batch = await this.next(); batch !== undefined; batch = await this.next()) yield batch;
    } finally {
      await this.close();
    }
  }

  /** Ends the threads. `next` fails afterwards. */
  async close(): Promise<void> {
    await this.#pool.close();
    this.#error ??= new DataError('The loader is closed: no more images can be taken from it.');
  }

  /** Posts batches until enough are under way. */
  #prefetch(): void {
    while (!this.#exhausted && this.#queue.length < (this.#options.prefetch ?? 2)) {
      const samples = this.#take();
      if (samples.length === 0) return;
      const batch = this.#decode(samples);
      // A failure is thrown by the `next` that reaches this batch, not as an unhandled rejection before.
      batch.catch(() => {});
      this.#queue.push(batch);
    }
  }

  #take(): Sample[] {
    const { batchSize, dropLast, dataset } = this.#options;
    const samples: Sample[] = [];
    while (samples.length < batchSize) {
      const { value: index, done } = this.#order.next();
      if (done) {
        this.#exhausted = true;
        return dropLast ? [] : samples;
      }
      if (!Number.isInteger(index) || index < 0 || index >= dataset.size) {
        throw new DataError(`The order gave index ${index}, the data set has 0 to ${dataset.size - 1}.`);
      }
      samples.push({ slot: samples.length, position: this.#position++, index, broken: [] });
    }
    return samples;
  }

  /** Decodes a batch; the result does the bookkeeping when it is called, so that this happens in the order of batches. */
  async #decode(samples: Sample[]): Promise<() => ImageBatch> {
    const { dataset, views } = this.#options;
    const images = new SharedArrayBuffer(samples.length * this.#sampleBytes);
    const pixels = this.#options.pixels ? new SharedArrayBuffer(samples.length * views[0]!.size ** 2) : undefined;
    let open = samples;
    while (open.length > 0) {
      const tasks = open.map((sample) => this.#task(sample, dataset.item(sample.index)));
      const { failures, decoded } = await this.#pool.run(tasks, images, pixels);
      for (const { slot, image } of decoded) this.#options.cache?.keep(samples[slot]!.index, image);
      for (const { slot, reason } of failures) this.#found.set(samples[slot]!.index, reason);
      open = failures.map(({ slot }) => samples[slot]!);
      for (const sample of open) {
        if (!this.#moveOn(sample)) return () => this.#giveUp(sample);
      }
    }
    return () => {
      this.#account(samples);
      return this.#batch(samples, new Uint8Array(images), pixels && new Uint8Array(pixels));
    };
  }

  #task(sample: Sample, item: Item): Task {
    const task: Task = { slot: sample.slot, position: sample.position, image: item.image };
    const decoded = this.#options.cache?.get(sample.index);
    if (decoded !== undefined) task.decoded = decoded;
    if (item.pixels !== undefined) task.labels = item.pixels;
    return task;
  }

  /** Moves a sample from broken images to the next one that may be readable; false when there is none near. */
  #moveOn(sample: Sample): boolean {
    const { size } = this.#options.dataset;
    for (;;) {
      const reason = this.#found.get(sample.index);
      if (reason === undefined) return true;
      sample.broken.push({ index: sample.index, reason });
      if (sample.broken.length >= Math.min(MAX_TRIES, size)) return false;
      sample.index = (sample.index + 1) % size;
    }
  }

  /** Reports what was broken in a batch. @throws DataError when too much was */
  #account(samples: readonly Sample[]): void {
    for (const sample of samples) {
      this.#report(sample);
      this.#markTried(sample.index);
    }
    const bad = this.#reported.size;
    const enough = this.#triedCount >= Math.min(MIN_TRIED, this.#options.dataset.size);
    // A single broken image is a share of more than 5 % in a small set, and no reason to stop.
    if (bad < 2 || !enough || bad <= MAX_BROKEN * this.#triedCount) return;
    throw new DataError(
      `${bad} of ${this.#triedCount} images cannot be read, more than ${100 * MAX_BROKEN} %:\n${this.#listing()}`,
      { hint: REPAIR },
    );
  }

  #report(sample: Sample): void {
    const { dataset, onBroken } = this.#options;
    for (const { index, reason } of sample.broken) {
      this.#markTried(index);
      if (this.#reported.has(index)) continue;
      this.#reported.set(index, reason);
      onBroken?.({ name: dataset.item(index).name, reason });
    }
  }

  #giveUp(sample: Sample): never {
    this.#report(sample);
    throw new DataError(`${sample.broken.length} images in a row cannot be read:\n${this.#listing()}`, {
      hint: REPAIR,
    });
  }

  #listing(): string {
    const lines = [...this.#reported]
      .slice(0, LISTED)
      .map(([index, reason]) => `  ${this.#options.dataset.item(index).name}: ${reason}`);
    const more = this.#reported.size - lines.length;
    if (more > 0) lines.push(`  and ${more} more`);
    return lines.join('\n');
  }

  #markTried(index: number): void {
    if (this.#tried[index]) return;
    this.#tried[index] = 1;
    this.#triedCount++;
  }

  #batch(samples: readonly Sample[], images: Uint8Array, pixels: Uint8Array | undefined): ImageBatch {
    const items = samples.map((sample) => this.#options.dataset.item(sample.index));
    return {
      size: samples.length,
      images,
      viewSizes: this.#options.views.map((view) => view.size),
      viewOffsets: this.#viewOffsets,
      sampleBytes: this.#sampleBytes,
      indices: Int32Array.from(samples, (sample) => sample.index),
      asked: Int32Array.from(
        samples.filter(({ broken }) => broken.length === 0),
        ({ slot }) => slot,
      ),
      labels: Int32Array.from(items, (item) => item.label ?? -1),
      ...(pixels && { pixels }),
      names: items.map((item) => item.name),
    };
  }
}

function checkOptions(options: LoaderOptions): void {
  const problems: string[] = [];
  const atLeastOne = (name: string, value: number) => {
    if (!Number.isInteger(value) || value < 1) problems.push(`${name} must be an integer of at least 1, not ${value}`);
  };
  atLeastOne('batchSize', options.batchSize);
  atLeastOne('workers', options.workers);
  atLeastOne('prefetch', options.prefetch ?? 2);
  if (options.pixels && options.dataset.item(0).pixels === undefined) {
    problems.push(`pixel labels were asked for, and ${options.dataset.spec} has none`);
  }
  if (problems.length > 0) throw new UsageError(`The images cannot be loaded:\n${problems.join('\n')}`);
}
