import type { EncodedBatch } from './encoded-images.js';
import type { ProbeHeads } from './probe-heads.js';

/** Share of the free memory that features may take which are kept from one pass to the next. */
const MEMORY_SHARE = 0.25;

/** Predictions of all heads for images that are not augmented, and the truth. */
export interface Predictions {
  /** By head, then image: class ids. */
  readonly predicted: readonly Int32Array[];
  readonly labels: Int32Array;
}

/** Images that heads are judged on, perhaps again and again: encoded once where their features fit into memory. */
export class JudgedImages {
  readonly #count: number;
  readonly #encode: () => AsyncIterable<EncodedBatch>;
  readonly #again: boolean;
  #kept: EncodedBatch[] | undefined;

  /** @param options.again whether there will be more than one pass */
  constructor(options: { count: number; again: boolean; encode: () => AsyncIterable<EncodedBatch> }) {
    this.#count = options.count;
    this.#again = options.again;
    this.#encode = options.encode;
  }

  /** @param onProgress called while images are encoded */
  async predict(heads: ProbeHeads, onProgress: (done: number, total: number) => void): Promise<Predictions> {
    const parts: Predictions[] = [];
    const use = (batch: EncodedBatch) => {
      if (batch.labels.length > 0) parts.push({ predicted: heads.predict(batch.features), labels: batch.labels });
    };
    if (this.#kept) {
      for (const batch of this.#kept) use(batch);
      return joined(parts);
    }
    let done = 0;
    let keep: boolean | undefined;
    for await (const batch of this.#encode()) {
      keep ??= this.#again && fits(batch, this.#count);
      use(batch);
      if (keep) this.#keep(batch);
      else batch.dispose();
      done += batch.size;
      onProgress(done, this.#count);
    }
    return joined(parts);
  }

  #keep(batch: EncodedBatch): void {
    this.#kept ??= [];
    this.#kept.push(batch);
  }

  dispose(): void {
    for (const batch of this.#kept ?? []) batch.dispose();
    this.#kept = undefined;
  }
}

function fits({ size, features }: EncodedBatch, count: number): boolean {
  const numbers = [...features.values()].reduce((sum, tensor) => sum + tensor.length, 0);
  return (4 * numbers * count) / size <= MEMORY_SHARE * process.availableMemory();
}

function joined(parts: readonly Predictions[]): Predictions {
  const concatenated = (arrays: readonly Int32Array[]) => {
    const all = new Int32Array(arrays.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const array of arrays) {
      all.set(array, at);
      at += array.length;
    }
    return all;
  };
  const heads = parts[0]?.predicted.length ?? 0;
  return {
    predicted: Array.from({ length: heads }, (_, head) => concatenated(parts.map(({ predicted }) => predicted[head]!))),
    labels: concatenated(parts.map(({ labels }) => labels)),
  };
}
