// B batch · H heads · C classes · D width
import { truncatedNormal, zeros } from '../../nn/init.js';
import type { Parameter } from '../../nn/module.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { HeadBank } from './head-bank.js';

/** Linear classifiers of vectors: one matrix product for all of them. */
export class LinearBank extends HeadBank {
  /** (H, C, D) */
  readonly weight: Parameter;
  /** (H, C) */
  readonly bias: Parameter;

  /** @param std of the initial weights, a normal distribution cut at ±2 */
  constructor(options: { heads: number; width: number; classes: number; std: number; generator: Generator }) {
    const { heads, width, classes, std, generator } = options;
    super(heads);
    this.weight = truncatedNormal([heads, classes, width], std, generator);
    this.bias = zeros([heads, classes]);
  }

  forward(x_BD: Tensor): Tensor {
    return scope(() => {
      const logits = ops.linear(x_BD, ops.flatten(this.weight, 0, 1), ops.flatten(this.bias, 0, 1));
      return ops.unflatten(logits, 1, [this.count, -1]);
    });
  }
}
