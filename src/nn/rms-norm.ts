import { hasKernels } from '../tensor/fused.js';
import * as ops from '../tensor/ops.generated.js';
import type { Tensor } from '../tensor/tensor.js';
import { ones } from './init.js';
import { Module, type Parameter } from './module.js';

/** x / √(mean(x²) + eps) over the last axis, times a weight unless `affine` is false (PyTorch `RMSNorm`). */
export class RmsNorm extends Module {
  readonly weight: Parameter | undefined;

  constructor(
    private readonly width: number,
    readonly eps: number,
    affine = true,
  ) {
    super();
    this.weight = affine ? ones([width]) : undefined;
  }

  forward(x: Tensor): Tensor {
    return hasKernels(x) ? ops.fusedRmsNorm(x, this.weight ?? null, this.eps) : this.plain(x);
  }

  /** The same with plain operators. */
  plain(x: Tensor): Tensor {
    return ops.rmsNorm(x, [this.width], this.weight, this.eps);
  }
}
