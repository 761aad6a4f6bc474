import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { Linear } from './linear.js';
import { Module } from './module.js';

/** Two linear layers without biases, four times as wide inside, with the exact GELU between them. */
export class Mlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(width: number, generator: Generator) {
    super();
    this.fc1 = new Linear(width, 4 * width, { bias: false, generator });
    this.fc2 = new Linear(4 * width, width, { bias: false, generator });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.fc2.forward(ops.gelu(this.fc1.forward(x))));
  }
}
