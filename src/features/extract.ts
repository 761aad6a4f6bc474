// B images of a batch · N images · P patches of an image · D width · S side in pixels
import { availableParallelism } from 'node:os';
import type { Dataset } from '../data/dataset.js';
import { type BrokenImage, type ImageBatch, Loader } from '../data/loader.js';
import type { View } from '../data/views.js';
import type { ImageEncoder } from '../models/encoder.js';
import { normaliseImages } from '../models/patches.js';
import { byteText } from '../support/byte-text.js';
import { DataError, TesseraError, UsageError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';

/** Share of the memory that is free which features may take. */
const MEMORY_SHARE = 0.6;

/** Which features of an image: its global vector, the mean of its patches, or every patch. */
export type FeatureKind = 'global' | 'patchMean' | 'patches';

/** How an evaluation image is cut: everything, aspect not kept, or the central square (short side to 256/224 of it). */
export type EvaluationView = 'resize' | 'resize-centre-crop';

/** What is extracted, and from what. */
export interface ExtractOptions {
  readonly encoder: ImageEncoder;
  readonly dataset: Dataset;
  /** Side of the images in pixels, a multiple of the encoder's patch size. */
  readonly size: number;
  readonly view: EvaluationView;
  /** At least one. */
  readonly kinds: readonly FeatureKind[];
  /** Also read the pixel labels (false). */
  readonly pixels?: boolean;
  /** Images embedded at once (64). */
  readonly batchSize?: number;
  /** Decoding threads (one a core, at most 8). */
  readonly workers?: number;
  /** Where the encoder is (`cpu`). */
  readonly device?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Frozen features of a data set, in its order, without the images that cannot be read. Float32 on the CPU. */
export interface Features {
  /** Number of images N. */
  readonly count: number;
  readonly global_ND?: Tensor;
  readonly patchMean_ND?: Tensor;
  /** Patches row by row. */
  readonly patches_NPD?: Tensor;
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
 * returned, 4 bytes a number (N·D, or N·P·D for patches) and a byte for each labelled pixel, and two decoded batches.
 *
 * @throws {UsageError} the size is not a multiple of the patch size.
 * @throws {TesseraError} `MEMORY` when the features would take more than 60 % of the free memory; `NOT_FINITE` when the
 * encoder gives no finite numbers.
 * @throws {DataError} too many images are broken.
 */
export async function extractFeatures(options: ExtractOptions): Promise<Features> {
  const { dataset, encoder, size } = options;
  checkSize(size, encoder.patchSize);
  const store = new FeatureStore(options);
  const loader = new Loader({
    dataset,
    views: [evaluationView(options.view, size)],
    batchSize: options.batchSize ?? 64,
    order: Array(dataset.size).keys(),
    seed: 0,
    workers: options.workers ?? Math.min(8, availableParallelism()),
    pixels: options.pixels ?? false,
    onBroken: (broken) => store.broken.push(broken),
  });
  try {
    for await (const batch of loader) {
      store.append(batch);
      options.onProgress?.(store.seen, dataset.size);
    }
    return store.finish();
  } catch (error) {
    store.dispose();
    throw error;
  }
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

/** 256/224 is what both published classification protocols enlarge before they crop (torchvision's convention). */
export function evaluationView(kind: EvaluationView, size: number): View {
  return kind === 'resize' ? { kind, size } : { kind, size, resize: Math.round((size * 256) / 224) };
}

/** Collects features batch by batch in tensors that are allocated once. */
class FeatureStore {
  readonly broken: BrokenImage[] = [];
  /** Images of the data set that were dealt with, broken ones included. */
  seen = 0;
  readonly #options: ExtractOptions;
  readonly #tensors = new Map<FeatureKind, Tensor>();
  readonly #labels: number[] = [];
  readonly #names: string[] = [];
  #pixels: Uint8Array | undefined;
  #count = 0;

  constructor(options: ExtractOptions) {
    this.#options = options;
  }

  append(batch: ImageBatch): void {
    // The loader puts a readable image in the place of a broken one: right for training, a double here.
    const rows = [...batch.indices.keys()].filter((row) => batch.indices[row] === this.seen + row);
    this.seen += batch.size;
    if (rows.length === 0) return;
    const parts = scope(() => this.#embed(batch, rows));
    try {
      if (this.#tensors.size === 0) this.#allocate(parts);
      for (const [kind, part] of parts) {
        scope(() => ops.copy_(ops.narrow(this.#tensors.get(kind)!, 0, this.#count, rows.length), part));
      }
    } finally {
      for (const part of parts.values()) part.dispose();
    }
    const area = this.#options.size ** 2;
    rows.forEach((row, i) => {
      this.#labels.push(batch.labels[row]!);
      this.#names.push(batch.names[row]!);
      this.#pixels?.set(batch.pixels!.subarray(row * area, (row + 1) * area), (this.#count + i) * area);
    });
    this.#count += rows.length;
  }

  finish(): Features {
    if (this.#count === 0) throw new DataError(`No image of ${this.#options.dataset.spec} can be read.`);
    const tensors = new Map([...this.#tensors].map(([kind, tensor]) => [kind, this.#trim(tensor)]));
    const [global_ND, patchMean_ND, patches_NPD] = (['global', 'patchMean', 'patches'] as const).map((kind) =>
      tensors.get(kind),
    );
    return {
      count: this.#count,
      ...(global_ND && { global_ND }),
      ...(patchMean_ND && { patchMean_ND }),
      ...(patches_NPD && { patches_NPD }),
      labels: Int32Array.from(this.#labels),
      ...(this.#pixels && { pixels: this.#pixels.subarray(0, this.#count * this.#options.size ** 2) }),
      names: this.#names,
      broken: this.broken,
      dispose: () => {
        for (const tensor of tensors.values()) tensor.dispose();
      },
    };
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
  }

  /** Rows of broken images were allocated and not filled. */
  #trim(tensor: Tensor): Tensor {
    if (tensor.size(0) === this.#count) return tensor;
    const trimmed = ops.narrow(tensor, 0, 0, this.#count);
    tensor.dispose();
    return trimmed;
  }

  #embed(batch: ImageBatch, rows: readonly number[]): Map<FeatureKind, Tensor> {
    const { encoder, size, kinds, device = 'cpu' } = this.#options;
    const all_BYX3 = Tensor.from(batch.images, [batch.size, size, size, 3]);
    const kept = Tensor.from(Int32Array.from(rows), [rows.length]);
    const images_BYX3 = rows.length === batch.size ? all_BYX3 : ops.indexSelect(all_BYX3, 0, kept);
    const embedding = encoder.embed(normaliseImages(ops.toDevice(images_BYX3, device, 'uint8')));
    const patches_BPD = ops.to(ops.flatten(embedding.patches_BYXD, 1, 2), 'float32');
    const parts: Record<FeatureKind, () => Tensor> = {
      global: () => embedding.global_BD,
      patchMean: () => ops.meanDim(patches_BPD, [1]),
      patches: () => patches_BPD,
    };
    return new Map(
      kinds.map((kind) => {
        const part = ops.toDevice(parts[kind](), 'cpu', 'float32');
        if (ops.all(ops.isfinite(part)).item() === 0) throw notFinite(kind, batch.names[rows[0]!]!);
        return [kind, part];
      }),
    );
  }

  #allocate(parts: ReadonlyMap<FeatureKind, Tensor>): void {
    const { dataset, size, pixels } = this.#options;
    const shapes = [...parts].map(([kind, part]) => [kind, [dataset.size, ...part.shape.slice(1)]] as const);
    const numbers = shapes.reduce((sum, [, shape]) => sum + shape.reduce((product, n) => product * n, 1), 0);
    const labelBytes = pixels ? dataset.size * size ** 2 : 0;
    checkMemory(4 * numbers + labelBytes, dataset);
    for (const [kind, shape] of shapes) this.#tensors.set(kind, ops.empty(shape, 'float32'));
    if (pixels) this.#pixels = new Uint8Array(labelBytes);
  }
}

function checkMemory(bytes: number, dataset: Dataset): void {
  const limit = MEMORY_SHARE * process.availableMemory();
  if (bytes <= limit) return;
  throw new TesseraError(
    'MEMORY',
    `The features of the ${dataset.size} images of ${dataset.spec} need ${byteText(bytes)} (${bytes} bytes); ` +
      `${byteText(limit)} may be used, ${100 * MEMORY_SHARE} % of what is free.`,
    { hint: 'Use fewer or smaller images (--size), or a machine with more memory.' },
  );
}

function notFinite(kind: FeatureKind, name: string): TesseraError {
  const what = { global: 'global features', patchMean: 'mean patch features', patches: 'patch features' }[kind];
  return new TesseraError('NOT_FINITE', `The encoder gives ${what} that are not finite, near the image ${name}.`, {
    hint: 'Its training has diverged or its file is damaged; use an earlier checkpoint.',
  });
}
