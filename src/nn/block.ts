// B batch · N tokens · D width
import type { Generator } from '../tensor/generator.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { Attention, type AttentionOptions, type Context } from './attention.js';
import { type DropPathOptions, residual } from './drop-path.js';
import { Mlp } from './mlp.js';
import { Module } from './module.js';
import { RmsNorm } from './rms-norm.js';

export interface BlockOptions extends AttentionOptions {
  readonly normEps: number;
  readonly dropPath: DropPathOptions;
}

/** A residual branch: normalise, then attend or mix channels. */
class Branch<Fn extends Module> extends Module {
  readonly norm: RmsNorm;
  readonly fn: Fn;

  constructor(width: number, eps: number, fn: Fn) {
    super();
    this.norm = new RmsNorm(width, eps);
    this.fn = fn;
  }
}

/** A pre-norm transformer block: attention (to a context where one is given), then an MLP. */
export class Block extends Module {
  readonly residual1: Branch<Attention>;
  readonly residual2: Branch<Mlp>;
  readonly #dropPath: DropPathOptions;

  constructor(options: BlockOptions & { generator: Generator }) {
    super();
    this.#dropPath = options.dropPath;
    this.residual1 = new Branch(options.width, options.normEps, new Attention(options));
    this.residual2 = new Branch(options.width, options.normEps, new Mlp(options.width, options.generator));
  }

  /** @param dropPath generator while training; absent, no path is dropped */
  forward(x_BND: Tensor, coordinates_BN2: Tensor, context?: Context, dropPath?: Generator): Tensor {
    return scope(() => {
      const { residual1, residual2 } = this;
      const attended_BND = residual(
        x_BND,
        (x, select) =>
          residual1.fn.forward(
            residual1.norm.forward(x),
            select(coordinates_BN2),
            context && {
              tokens_BMD: select(context.tokens_BMD),
              coordinates_BM2: select(context.coordinates_BM2),
            },
          ),
        this.#dropPath,
        dropPath,
      );
      return residual(attended_BND, (x) => residual2.fn.forward(residual2.norm.forward(x)), this.#dropPath, dropPath);
    });
  }
}
