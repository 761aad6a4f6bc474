// N rows: views of the images, view-major · B images · Q entries · K candidates · E channels of a projection
import type { ProcessGroup } from '../../distributed/process-group.js';
import { Module, ModuleBuffer } from '../../nn/module.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';
import { unit } from './unit.js';

/** Images of a step, as the queue remembers them. */
export interface QueuedImages {
  /** Index into the data set, (B) int64: an image is never its own neighbour. */
  readonly indices_B: Tensor;
  /** Class, (B) int64, -1 where unknown; for the metrics only. */
  readonly labels_B: Tensor;
}

/** Neighbours of projections, all without gradients. */
export interface Neighbours {
  /** As they lie in the queue, not normalised. */
  readonly neighbours_NE: Tensor;
  /** Mean cosine of projections and neighbours. */
  readonly similarity: Tensor;
  /** Mean number of images that were added since the neighbours. */
  readonly age: Tensor;
  /** Share of neighbours of the same class, among images whose class is known; NaN where there are none. */
  readonly accuracy: Tensor;
}

/**
 * The last Q projections of earlier images, to look up nearest neighbours in: first in, first out.
 * Source: MIM-Refiner modules/ssl/nnclr_queue.py `NnclrQueue`.
 */
export class NeighbourQueue extends Module {
  readonly x: ModuleBuffer;
  readonly idx: ModuleBuffer;
  readonly cls: ModuleBuffer;
  readonly age: ModuleBuffer;
  /** Where the next image goes. */
  readonly ptr: ModuleBuffer;

  /** Starts with normal deviates, which belong to no image. */
  constructor(size: number, channels: number, generator: Generator) {
    super();
    this.x = ModuleBuffer.adopt(ops.randn([size, channels], generator, 'float32'));
    this.idx = ModuleBuffer.adopt(ops.full([size], -1, 'int64'));
    this.cls = ModuleBuffer.adopt(ops.full([size], -1, 'int64'));
    this.age = ModuleBuffer.adopt(ops.zeros([size], 'int64'));
    this.ptr = ModuleBuffer.adopt(ops.zeros([1], 'int64'));
  }

  get size(): number {
    return this.x.size(0);
  }

  /** Share of the entries that belong to an image. */
  filled(): Tensor {
    return scope(() => noGrad(() => ops.mean(ops.to(ops.gt(this.idx, -1), 'float32'))));
  }

  /**
   * The `count` most similar entries of every row, best first: (N, K) int64.
   * @param indices_B images of the rows, whose own entries are no candidates; absent while evaluating
   */
  candidates(x_NE: Tensor, count: number, indices_B?: Tensor): Tensor {
    return scope(() =>
      noGrad(() => {
        const similarity_NQ = ops.matmul(unit(x_NE), ops.transpose(unit(this.x), 0, 1));
        if (indices_B === undefined) return ops.topk(similarity_NQ, count)[1];
        const own_BQ = ops.eq(ops.unsqueeze(indices_B, 1), this.idx);
        const views = x_NE.size(0) / indices_B.size(0);
        const own_NQ = ops.cat(Array.from({ length: views }, () => own_BQ));
        return ops.topk(ops.maskedFill(similarity_NQ, own_NQ, -1), count)[1];
      }),
    );
  }

  /** The entries with the given numbers (N), and how well they fit the rows. */
  take(x_NE: Tensor, chosen_N: Tensor, labels_B: Tensor): Neighbours {
    return scope(() =>
      noGrad(() => {
        const neighbours_NE = ops.indexSelect(this.x, 0, chosen_N);
        const labels_N = ops.cat(Array.from({ length: x_NE.size(0) / labels_B.size(0) }, () => labels_B));
        const known_N = ops.gt(labels_N, -1);
        const same_N = ops.eq(labels_N, ops.indexSelect(this.cls, 0, chosen_N));
        const right = ops.sum(ops.mul(same_N, known_N), 'float32');
        return {
          neighbours_NE,
          similarity: ops.mean(ops.sumDim(ops.mul(unit(x_NE), unit(neighbours_NE)), [-1])),
          age: ops.mean(ops.to(ops.indexSelect(this.age, 0, chosen_N), 'float32')),
          accuracy: ops.div(right, ops.sum(known_N, 'float32')),
        };
      }),
    );
  }

  /**
   * Adds the images of all processes, in rank order, in the place of the oldest; everything in the queue ages.
   * @param x_BE projections of one view
   */
  add(x_BE: Tensor, images: QueuedImages, group?: ProcessGroup): void {
    scope(() =>
      noGrad(() => {
        const all = (tensor: Tensor) => (group === undefined ? tensor : group.gather(tensor));
        const [x, idx, cls] = [x_BE, images.indices_B, images.labels_B].map(all) as [Tensor, Tensor, Tensor];
        const count = x.size(0);
        const start = this.ptr.item();
        const young = ops.zerosLike(idx);
        const targets = [this.x, this.idx, this.cls, this.age];
        for (const [i, source] of [x, idx, cls, young].entries()) writeRound(targets[i]!, start, source);
        ops.add_(this.age, count);
        ops.copy_(this.ptr, ops.full([1], (start + count) % this.size, 'int64'));
      }),
    );
  }
}

/** Copies rows to a place of a ring, going on at its beginning where its end is reached. */
function writeRound(ring: Tensor, start: number, rows: Tensor): void {
  const count = rows.size(0);
  const fits = Math.min(count, ring.size(0) - start);
  ops.copy_(ops.narrow(ring, 0, start, fits), ops.narrow(rows, 0, 0, fits));
  if (fits < count) ops.copy_(ops.narrow(ring, 0, 0, count - fits), ops.narrow(rows, 0, fits, count - fits));
}
