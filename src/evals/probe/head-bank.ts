import { Module, Parameter } from '../../nn/module.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';

/**
 * Classifiers of one kind over the same features, computed together: every parameter holds those of all heads along its
 * first axis. {@link heads} are windows on it, which optimisers can treat differently.
 */
export abstract class HeadBank extends Module {
  readonly count: number;
  #heads: Map<string, Parameter>[] | undefined;

  constructor(count: number) {
    super();
    this.count = count;
  }

  /** Logits (B, H, C) of all heads. */
  abstract forward(features: Tensor): Tensor;

  /** The parameters of each head by name, sharing memory with the bank's; the first axis is 1. Made after `to`. */
  get heads(): readonly ReadonlyMap<string, Parameter>[] {
    this.#heads ??= Array.from({ length: this.count }, (_, head) => {
      const window = (all: Parameter) =>
        Parameter.adopt(scope(() => noGrad(() => ops.detach(ops.narrow(all, 0, head, 1)))));
      return new Map([...this.parameters()].map(([name, all]) => [name, window(all)]));
    });
    return this.#heads;
  }

  /** Gives the heads their parts of the bank's gradients, and the bank none. */
  shareGradients(): void {
    scope(() => {
      for (const [name, all] of this.parameters()) {
        const { grad } = all;
        if (grad === null) continue;
        for (const [head, parameters] of this.heads.entries()) {
          parameters.get(name)!.grad = ops.narrow(grad, 0, head, 1);
        }
        all.grad = null;
      }
    });
  }

  override dispose(): void {
    for (const head of this.#heads ?? []) for (const parameter of head.values()) parameter.dispose();
    super.dispose();
  }
}
