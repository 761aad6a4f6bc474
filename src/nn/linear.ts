import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import type { Tensor } from '../tensor/tensor.js';
import { xavierUniform, zeros } from './init.js';
import { Module, type Parameter } from './module.js';

/** x Wᵀ + b over the last axis; weight (outputs, inputs). Weights start Glorot-uniform, biases at zero. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(inputs: number, outputs: number, options: { bias: boolean; generator: Generator }) {
    super();
    this.weight = xavierUniform(outputs, inputs, options.generator);
    this.bias = options.bias ? zeros([outputs]) : undefined;
  }

  forward(x: Tensor): Tensor {
    return ops.linear(x, this.weight, this.bias);
  }
}
