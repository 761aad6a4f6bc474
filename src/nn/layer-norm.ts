import * as ops from '../tensor/ops.generated.js';
import type { Tensor } from '../tensor/tensor.js';
import { ones, zeros } from './init.js';
import { Module, type Parameter } from './module.js';

/** (x - mean(x)) / √(var(x) + eps) over the last axis, times a weight plus a bias unless `affine` is false (PyTorch `LayerNorm`). */
export class LayerNorm extends Module {
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;

  constructor(
    private readonly width: number,
    readonly eps: number,
    affine = true,
  ) {
    super();
    this.weight = affine ? ones([width]) : undefined;
    this.bias = affine ? zeros([width]) : undefined;
  }

  forward(x: Tensor): Tensor {
    return ops.layerNorm(x, [this.width], this.weight, this.bias, this.eps);
  }
}
