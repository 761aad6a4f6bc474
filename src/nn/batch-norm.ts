// S samples · C channels
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';
import { ones, zeros } from './init.js';
import { Module, ModuleBuffer, type Parameter } from './module.js';

/** Processes whose samples are normalised together: what batch norm needs of a process group. */
export interface Peers {
  readonly worldSize: number;
  /** The sum over all processes, differentiable. */
  sum(tensor: Tensor): Tensor;
}

/** How one call normalises. */
export interface BatchNormMode {
  /** By the statistics of the samples, which the running ones then follow; otherwise by the running ones. */
  readonly training: boolean;
  /** Processes with equally many samples each that share the statistics. */
  readonly peers?: Peers | undefined;
}

const EPS = 1e-5;
/** Weight of the newest statistics in the running ones. */
const MOMENTUM = 0.1;

/**
 * Normalises every channel over the samples, then scales and shifts it unless `affine` is false (PyTorch `BatchNorm1d`,
 * `SyncBatchNorm`).
 */
export class BatchNorm extends Module {
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;
  readonly runningMean: ModuleBuffer;
  /** Of unbiased variances. */
  readonly runningVar: ModuleBuffer;
  readonly numBatchesTracked: ModuleBuffer;

  constructor(channels: number, affine = true) {
    super();
    this.weight = affine ? ones([channels]) : undefined;
    this.bias = affine ? zeros([channels]) : undefined;
    this.runningMean = ModuleBuffer.adopt(ops.zeros([channels], 'float32'));
    this.runningVar = ModuleBuffer.adopt(ops.ones([channels], 'float32'));
    this.numBatchesTracked = ModuleBuffer.adopt(ops.zeros([], 'int64'));
  }

  forward(x_SC: Tensor, { training, peers }: BatchNormMode): Tensor {
    return scope(() => {
      if (training) noGrad(() => ops.add_(this.numBatchesTracked, 1));
      if (training && peers !== undefined && peers.worldSize > 1) return this.#normaliseTogether(x_SC, peers);
      const { weight = null, bias = null, runningMean, runningVar } = this;
      return ops.batchNorm(x_SC, weight, bias, runningMean, runningVar, training, MOMENTUM, EPS, true);
    });
  }

  #normaliseTogether(x_SC: Tensor, peers: Peers): Tensor {
    const count = x_SC.size(0) * peers.worldSize;
    const mean_C = ops.div(peers.sum(ops.sumDim(x_SC, [0])), count);
    const centred_SC = ops.sub(x_SC, mean_C);
    const variance_C = ops.div(peers.sum(ops.sumDim(ops.mul(centred_SC, centred_SC), [0])), count);
    noGrad(() => {
      follow(this.runningMean, mean_C);
      follow(this.runningVar, ops.mul(variance_C, count / (count - 1)));
    });
    const unit_SC = ops.div(centred_SC, ops.sqrt(ops.add(variance_C, EPS)));
    const scaled_SC = this.weight ? ops.mul(unit_SC, this.weight) : unit_SC;
    return this.bias ? ops.add(scaled_SC, this.bias) : scaled_SC;
  }
}

function follow(running_C: Tensor, newest_C: Tensor): void {
  ops.mul_(running_C, 1 - MOMENTUM);
  ops.add_(running_C, newest_C, MOMENTUM);
}
