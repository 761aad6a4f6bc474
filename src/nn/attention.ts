// B batch · N query tokens · M key tokens · D width · A heads · F channels of a head
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { Rope, type RopeOptions } from './rope.js';

/** Tokens to attend to, with their coordinates as (row, column) in [0, 1]. */
export interface Context {
  readonly tokens_BMD: Tensor;
  readonly coordinates_BM2: Tensor;
}

export interface AttentionOptions {
  readonly width: number;
  readonly heads: number;
  /** Width of the tokens attended to, where it differs. */
  readonly contextWidth?: number;
  readonly rope: RopeOptions;
}

/** Multi-head attention with rotary positions on queries and keys; self-attention unless a context is given. No biases. */
export class Attention extends Module {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly proj: Linear;
  readonly rope: Rope;
  readonly #heads: number;

  constructor(options: AttentionOptions & { generator: Generator }) {
    super();
    const { width, contextWidth = width, heads, generator } = options;
    this.#heads = heads;
    this.qProj = new Linear(width, width, { bias: false, generator });
    this.kProj = new Linear(contextWidth, width, { bias: false, generator });
    this.vProj = new Linear(contextWidth, width, { bias: false, generator });
    this.proj = new Linear(width, width, { bias: false, generator });
    this.rope = new Rope(width / heads, options.rope);
  }

  forward(x_BND: Tensor, coordinates_BN2: Tensor, context?: Context): Tensor {
    return scope(() => {
      const queryTable = this.rope.table(coordinates_BN2);
      const keyTable = context ? this.rope.table(context.coordinates_BM2) : queryTable;
      const keys_BMD = context?.tokens_BMD ?? x_BND;
      const q_BNAF = this.rope.rotate(this.#split(this.qProj.forward(x_BND)), queryTable);
      const k_BMAF = this.rope.rotate(this.#split(this.kProj.forward(keys_BMD)), keyTable);
      const v_BMAF = this.#split(this.vProj.forward(keys_BMD));
      const [q, k, v] = [q_BNAF, k_BMAF, v_BMAF].map((t) => ops.transpose(t, 1, 2)) as [Tensor, Tensor, Tensor];
      const mixed_BANF = ops.scaledDotProductAttention(q, k, v);
      return this.proj.forward(ops.flatten(ops.transpose(mixed_BANF, 1, 2), 2, 3));
    });
  }

  #split(x_BND: Tensor): Tensor {
    return ops.unflatten(x_BND, 2, [this.#heads, -1]);
  }
}
