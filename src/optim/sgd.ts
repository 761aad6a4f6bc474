import type { Parameter } from '../nn/module.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';

/** Stochastic gradient descent with momentum and without weight decay, as PyTorch computes it (`_fused_sgd_`). */
export class Sgd {
  readonly #moments: { readonly parameter: Parameter; readonly momentum: Tensor }[];
  readonly #momentum: number;

  constructor(parameters: readonly Parameter[], options: { momentum: number }) {
    this.#momentum = options.momentum;
    this.#moments = parameters.map((parameter) => ({ parameter, momentum: ops.zerosLike(parameter).retain() }));
  }

  /** Updates every parameter that has a gradient. */
  step(lr: number): void {
    scope(() => {
      noGrad(() => {
        const ready = this.#moments.flatMap((m) => {
          const grad = m.parameter.grad;
          return grad === null ? [] : [{ ...m, grad }];
        });
        if (ready.length === 0) return;
        ops.fusedSgd_(
          ready.map((m) => m.parameter),
          ready.map((m) => m.grad),
          ready.map((m) => m.momentum),
          0,
          this.#momentum,
          lr,
          0,
          false,
          false,
          // From zeros, the first step is like any other.
          false,
        );
      });
    });
  }

  dispose(): void {
    for (const { momentum } of this.#moments) momentum.dispose();
  }
}
