// N images · B images of a batch · S side in pixels
import type { Dataset } from '../data/dataset.js';
import { type BrokenImage, type ImageBatch, Loader } from '../data/loader.js';
import type { View } from '../data/views.js';
import type { Embedding, ImageEncoder } from '../models/encoder.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { askedBytes, askedImages } from './asked-images.js';
import { EntryWriter } from './cache-entry.js';
import { checkMemory, MemoryBuffer, type PartBuffer } from './part-buffers.js';
import { type FeaturePart, partName, partSize, takePart } from './parts.js';

/** How an evaluation image is cut: everything, aspect not kept, or the central square (short side to 256/224 of it). */
export type EvaluationView = 'resize' | 'resize-centre-crop';

/** A part of an embedding by its name, or without a part the pixel labels. */
export interface Wanted {
  readonly name: string;
  readonly part?: FeaturePart;
}

/** Where rows are kept on the disk. */
export interface RowShelf {
  has(wanted: Wanted): boolean;
  hasRoom(bytes: number): boolean;
  writer(wanted: Wanted): EntryWriter;
  /** Called when all rows are written. */
  prune(): void;
}

export interface PassOptions {
  readonly encoder: ImageEncoder;
  readonly dataset: Dataset;
  readonly size: number;
  readonly view: EvaluationView;
  readonly batchSize: number;
  readonly workers: number;
  readonly device: string;
  /** At least one. */
  readonly wanted: readonly Wanted[];
  readonly shelf: RowShelf | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What one pass over a data set gave. The caller disposes of the tensors. */
export interface PassResult {
  /** By name, those wanted. */
  readonly rows: ReadonlyMap<string, Tensor>;
  /** (N) indices into the data set. */
  readonly indices: Int32Array;
  readonly broken: readonly BrokenImage[];
}

/** One pass of a data set through an encoder, or through the decoder alone where only pixel labels are wanted. */
export class ExtractionPass {
  readonly #options: PassOptions;
  readonly #broken: BrokenImage[] = [];
  readonly #indices: number[] = [];
  /** What is taken of each batch: more than is wanted where a cache keeps it. */
  #taken: { readonly wanted: Wanted; readonly buffer: PartBuffer }[] = [];
  /** Images of the data set that were dealt with, broken ones included. */
  #seen = 0;

  constructor(options: PassOptions) {
    this.#options = options;
  }

  /** @throws as `extractFeatures`. */
  async run(): Promise<PassResult> {
    const { dataset, size, view, batchSize, workers, wanted, shelf, onProgress } = this.#options;
    const loader = new Loader({
      dataset,
      views: [evaluationView(view, size)],
      batchSize,
      order: Array(dataset.size).keys(),
      seed: 0,
      workers,
      pixels: wanted.some(({ part }) => part === undefined),
      onBroken: (broken) => this.#broken.push(broken),
    });
    try {
      for await (const batch of loader) {
        scope(() => this.#append(batch));
        onProgress?.(this.#seen, dataset.size);
      }
      const result = this.#finish();
      shelf?.prune();
      return result;
    } finally {
      for (const { buffer } of this.#taken) buffer.dispose();
    }
  }

  #append(batch: ImageBatch): void {
    const { asked } = batch;
    this.#seen += batch.size;
    if (asked.length === 0) return;
    const embedding = this.#embed(batch);
    if (this.#taken.length === 0) this.#allocate(embedding);
    for (const { wanted, buffer } of this.#taken) {
      scope(() => {
        const near = batch.names[asked[0]!]!;
        buffer.append(wanted.part ? takePart(wanted.part, embedding!, near) : this.#pixelRows(batch));
      });
    }
    this.#indices.push(...asked.map((row) => batch.indices[row]!));
  }

  #finish(): PassResult {
    const { wanted } = this.#options;
    const indices = Int32Array.from(this.#indices);
    const rows = new Map<string, Tensor>();
    try {
      for (const { wanted: one, buffer } of this.#taken) {
        if (buffer instanceof EntryWriter) buffer.indices = indices;
        const tensor = buffer.finish();
        if (wanted.some(({ name }) => name === one.name)) rows.set(one.name, tensor);
        else tensor.dispose();
      }
      return { rows, indices, broken: this.#broken };
    } catch (error) {
      for (const tensor of rows.values()) tensor.dispose();
      throw error;
    }
  }

  /** Undefined where no part of it is wanted. */
  #embed(batch: ImageBatch): Embedding | undefined {
    const { encoder, size, device, wanted } = this.#options;
    const parts = wanted.flatMap(({ part }) => part ?? []);
    if (parts.length === 0) return undefined;
    const blocks = [...new Set(parts.flatMap(({ block }) => block ?? []))];
    return scope(() => encoder.embed(askedImages(batch, size, device), blocks.length > 0 ? { blocks } : {}));
  }

  #pixelRows(batch: ImageBatch): Tensor {
    const { size } = this.#options;
    return askedBytes(batch, batch.pixels!, [size, size]);
  }

  /** @throws {TesseraError} `MEMORY` */
  #allocate(embedding: Embedding | undefined): void {
    const { dataset, size, shelf } = this.#options;
    const taken = [...this.#options.wanted, ...(embedding && shelf ? this.#extras(embedding) : [])];
    const numbers = ({ part }: Wanted) => dataset.size * (part ? partSize(part, embedding!) : size ** 2);
    const bytes = (wanted: Wanted) => numbers(wanted) * (wanted.part ? 4 : 1);
    const total = taken.reduce((sum, wanted) => sum + bytes(wanted), 0);
    if (shelf?.hasRoom(total)) {
      this.#taken = taken.map((wanted) => ({ wanted, buffer: shelf.writer(wanted) }));
      return;
    }
    checkMemory(
      this.#options.wanted.reduce((sum, wanted) => sum + bytes(wanted), 0),
      dataset,
    );
    this.#taken = this.#options.wanted.map((wanted) => ({ wanted, buffer: new MemoryBuffer(dataset.size) }));
  }

  /** One vector an image costs next to nothing: other evaluations will not need a pass of their own. */
  #extras(embedding: Embedding): Wanted[] {
    const { wanted, shelf } = this.#options;
    const kinds = ['global', 'patchMean', ...(embedding.class_BD ? (['class'] as const) : [])] as const;
    return kinds
      .map((kind) => ({ name: partName({ kind }), part: { kind } }))
      .filter((extra) => !wanted.some(({ name }) => name === extra.name) && !shelf!.has(extra));
  }
}

/** The view of a kind at a size. */
export function evaluationView(kind: EvaluationView, size: number): View {
  return kind === 'resize' ? { kind, size } : { kind, size, resize: enlargedSide(size) };
}

/** 256/224 is what both published classification protocols enlarge before they crop (torchvision's convention). */
export function enlargedSide(size: number): number {
  return Math.round((size * 256) / 224);
}
