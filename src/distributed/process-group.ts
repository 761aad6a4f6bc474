import { engine } from '../engine/addon.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, Tensor } from '../tensor/tensor.js';

export interface ProcessGroupOptions {
  /** Address of rank 0, which serves the rendezvous. */
  readonly host: string;
  readonly port: number;
  readonly rank: number;
  readonly worldSize: number;
  /** How long a collective may wait for the others, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Processes that train together, over Gloo. Every rank must enter every collective. */
export class ProcessGroup {
  readonly rank: number;
  readonly worldSize: number;
  readonly #id: number;

  /** Blocks until all ranks have arrived. @throws {EngineError} they did not within the time limit. */
  constructor(options: ProcessGroupOptions) {
    const { host, port, rank, worldSize, timeoutMs = 30_000 } = options;
    this.rank = rank;
    this.worldSize = worldSize;
    this.#id = engine().openGroup(host, port, rank, worldSize, timeoutMs);
  }

  /** Sum or largest value over the ranks, in place. */
  allReduce(tensor: Tensor, operation: 'sum' | 'max' = 'sum'): void {
    engine().allReduce(this.#id, tensor.handle, operation);
  }

  /** The sum over the ranks as a new tensor. Gradients flow through it: that of every rank's use of the sum, added up. */
  sum(tensor: Tensor): Tensor {
    return new Tensor(engine().sum(this.#id, tensor.handle));
  }

  /** The ranks' tensors, of one shape, in rank order along the first axis. Gradients flow as through {@link sum}. */
  gather(tensor: Tensor): Tensor {
    return scope(() => {
      const zeros = ops.zerosLike(tensor);
      const parts = Array.from({ length: this.worldSize }, (_, rank) => (rank === this.rank ? tensor : zeros));
      return this.sum(ops.cat(parts));
    });
  }

  /** Rank `root`'s values on every rank, in place. */
  broadcast(tensor: Tensor, root = 0): void {
    engine().broadcast(this.#id, tensor.handle, root);
  }

  barrier(): void {
    engine().barrier(this.#id);
  }

  close(): void {
    engine().closeGroup(this.#id);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
