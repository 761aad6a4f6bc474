// B batch · N tokens · D width
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { Attention, type AttentionInputs } from './attention.js';
import { type DropPathOptions, residual, type SelectRows } from './drop-path.js';
import { constant } from './init.js';
import { Mlp } from './mlp.js';
import { Module, type Parameter } from './module.js';
import { createNorm, type Norm, type NormOptions } from './norm.js';
import type { RopeOptions } from './rope.js';

/** Sizes and kind of a block. The defaults are those of a plain vision transformer (timm, MAE). */
export interface BlockOptions {
  readonly width: number;
  readonly heads: number;
  /** Width of the tokens attended to, where it differs. */
  readonly contextWidth?: number | undefined;
  /** Default: a LayerNorm with eps 1e-6. */
  readonly norm?: NormOptions | undefined;
  /** Whether a branch normalises what it gets (`pre`, the default), or the sum that it adds to (`post`). */
  readonly placement?: 'pre' | 'post' | undefined;
  /** Which of the maps to queries, keys and values have biases; `all` by default. */
  readonly qkvBias?: 'none' | 'query-value' | 'all' | undefined;
  /** Whether the other linear layers have biases; true by default. */
  readonly biases?: boolean | undefined;
  readonly activation?: 'gelu' | 'swiglu' | undefined;
  /** Channels inside the MLP; four times the width by default. */
  readonly mlpWidth?: number | undefined;
  /** Where given, every channel of a branch's output has a trained factor, which starts at this value. */
  readonly layerScale?: number | undefined;
  /** Rotary positions; none by default. */
  readonly rope?: RopeOptions | undefined;
  /** Nothing is dropped by default. */
  readonly dropPath?: DropPathOptions | undefined;
}

const plainNorm: NormOptions = { kind: 'layer', eps: 1e-6 };
const noDropPath: DropPathOptions = { rate: 0, kind: 'efficient' };

/** A residual branch: attend or mix channels, normalised before or after. */
class Branch<Fn extends Module> extends Module {
  readonly scale: Parameter | undefined;
  readonly norm: Norm;
  readonly fn: Fn;
  readonly #options: BlockOptions;

  constructor(options: BlockOptions, fn: Fn) {
    super();
    const { width, norm = plainNorm, layerScale } = options;
    this.scale = layerScale === undefined ? undefined : constant([width], layerScale);
    this.norm = createNorm(width, norm);
    this.fn = fn;
    this.#options = options;
  }

  /** What `fn` gets of x. */
  input(x_BND: Tensor): Tensor {
    return this.#options.placement === 'post' ? x_BND : this.norm.forward(x_BND);
  }

  /** x plus what `apply` makes of it. */
  forward(x_BND: Tensor, apply: (x: Tensor, select: SelectRows) => Tensor, dropPath: Generator | undefined): Tensor {
    const { placement = 'pre', dropPath: dropOptions = noDropPath } = this.#options;
    const scaled = (x: Tensor) => (this.scale === undefined ? x : ops.mul(x, this.scale));
    return scope(() => {
      const inner = (x: Tensor, select: SelectRows) => scaled(apply(this.input(x), select));
      const sum_BND = residual(x_BND, inner, dropOptions, dropPath);
      return placement === 'pre' ? sum_BND : this.norm.forward(sum_BND);
    });
  }
}

/** A transformer block: attention (to a context where one is given), then an MLP. */
export class Block extends Module {
  readonly residual1: Branch<Attention>;
  readonly residual2: Branch<Mlp>;

  constructor(options: BlockOptions & { generator: Generator }) {
    super();
    const { width, mlpWidth = 4 * width, activation = 'gelu', qkvBias = 'all', biases: bias = true } = options;
    const { generator } = options;
    this.residual1 = new Branch(options, new Attention({ ...options, qkvBias, bias }));
    this.residual2 = new Branch(options, new Mlp({ width, hidden: mlpWidth, activation, bias, generator }));
  }

  /** @param dropPath generator while training; absent, no path is dropped */
  forward(x_BND: Tensor, inputs: AttentionInputs = {}, dropPath?: Generator): Tensor {
    return scope(() => {
      const { residual1, residual2 } = this;
      const attended_BND = residual1.forward(
        x_BND,
        (x, select) => residual1.fn.forward(x, selected(inputs, select)),
        dropPath,
      );
      return residual2.forward(attended_BND, (x) => residual2.fn.forward(x), dropPath);
    });
  }

  /** How the first `queries` of the tokens that `forward` takes attend to all of them, by head: (B, A, queries, N). */
  attentionWeights(x_BND: Tensor, inputs: AttentionInputs, queries: number): Tensor {
    return scope(() => this.residual1.fn.weights(this.residual1.input(x_BND), inputs, queries));
  }
}

/** The same samples of everything that attention uses. */
function selected({ coordinates_BN2, context, bias_1ANM }: AttentionInputs, select: SelectRows): AttentionInputs {
  return {
    coordinates_BN2: coordinates_BN2 && select(coordinates_BN2),
    context: context && {
      tokens_BMD: select(context.tokens_BMD),
      coordinates_BM2: context.coordinates_BM2 && select(context.coordinates_BM2),
    },
    bias_1ANM,
  };
}
