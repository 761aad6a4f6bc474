// N images
import type { Dataset } from '../data/dataset.js';
import { byteText } from '../support/byte-text.js';
import { TesseraError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';

/** Share of the memory that is free which features may take. */
const MEMORY_SHARE = 0.6;

/** Takes the features of one part, or the pixel labels, batch by batch. */
export interface PartBuffer {
  append(rows: Tensor): void;
  /** All rows; the caller disposes of them. */
  finish(): Tensor;
  /** Frees what was not handed over. */
  dispose(): void;
}

/** Holds rows in memory, in a tensor that is allocated once. */
export class MemoryBuffer implements PartBuffer {
  readonly #total: number;
  #tensor: Tensor | undefined;
  #count = 0;

  /** @param total rows at most */
  constructor(total: number) {
    this.#total = total;
  }

  append(rows: Tensor): void {
    this.#tensor ??= ops.empty([this.#total, ...rows.shape.slice(1)], rows.dtype).retain();
    const tensor = this.#tensor;
    scope(() => ops.copy_(ops.narrow(tensor, 0, this.#count, rows.size(0)), rows));
    this.#count += rows.size(0);
  }

  finish(): Tensor {
    const tensor = this.#tensor!;
    this.#tensor = undefined;
    if (tensor.size(0) === this.#count) return tensor;
    // Rows of broken images were allocated and not filled.
    const filled = ops.narrow(tensor, 0, 0, this.#count);
    tensor.dispose();
    return filled;
  }

  dispose(): void {
    this.#tensor?.dispose();
  }
}

/** @throws {TesseraError} `MEMORY` when the features of a data set would take more than 60 % of the free memory. */
export function checkMemory(bytes: number, dataset: Dataset): void {
  const limit = MEMORY_SHARE * process.availableMemory();
  if (bytes <= limit) return;
  throw new TesseraError(
    'MEMORY',
    `The features of the ${dataset.size} images of ${dataset.spec} need ${byteText(bytes)} (${bytes} bytes); ` +
      `${byteText(limit)} may be used, ${100 * MEMORY_SHARE} % of what is free.`,
    { hint: 'Use fewer or smaller images (--size), a feature cache (no --no-cache), or a machine with more memory.' },
  );
}
