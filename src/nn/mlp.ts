import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { Linear } from './linear.js';
import { Module } from './module.js';

export interface MlpOptions {
  readonly width: number;
  /** Channels between the two linear layers. */
  readonly hidden: number;
  /** `gelu`: the exact GELU. `swiglu`: the first half of fc1's 2·hidden outputs, through SiLU, times the second half. */
  readonly activation: 'gelu' | 'swiglu';
  readonly bias: boolean;
}

/** Two linear layers with a non-linearity between them. Source of `swiglu`: DINOv2 layers/swiglu_ffn.py `SwiGLUFFN`. */
export class Mlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly #activation: MlpOptions['activation'];

  constructor(options: MlpOptions & { generator: Generator }) {
    super();
    const { width, hidden, activation, bias, generator } = options;
    this.#activation = activation;
    this.fc1 = new Linear(width, activation === 'swiglu' ? 2 * hidden : hidden, { bias, generator });
    this.fc2 = new Linear(hidden, width, { bias, generator });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const inner = this.fc1.forward(x);
      if (this.#activation === 'gelu') return this.fc2.forward(ops.gelu(inner));
      const [gate, value] = ops.chunk(inner, 2, -1) as [Tensor, Tensor];
      return this.fc2.forward(ops.mul(ops.silu(gate), value));
    });
  }
}
