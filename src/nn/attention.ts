// B batch · N query tokens · M key tokens · D width · A heads · F channels of a head
import { ShapeError } from '../support/errors.js';
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { Rope, type RopeOptions, type RopeTable } from './rope.js';

/** Tokens to attend to; with rotary positions, their coordinates as (row, column) in [0, 1]. */
export interface Context {
  readonly tokens_BMD: Tensor;
  readonly coordinates_BM2?: Tensor | undefined;
}

/** What attention needs besides its tokens. */
export interface AttentionInputs {
  /** Where the tokens are, (row, column) in [0, 1]: needed by rotary positions. The first axis may be 1. */
  readonly coordinates_BN2?: Tensor | undefined;
  /** What to attend to; the tokens themselves by default. */
  readonly context?: Context | undefined;
  /** Added to the scaled products of queries and keys: relative positions. */
  readonly bias_1ANM?: Tensor | undefined;
}

export interface AttentionOptions {
  readonly width: number;
  readonly heads: number;
  /** Width of the tokens attended to, where it differs. */
  readonly contextWidth?: number | undefined;
  /** Which of the maps to queries, keys and values have biases. */
  readonly qkvBias: 'none' | 'query-value' | 'all';
  /** Whether the output map has a bias. */
  readonly bias: boolean;
  /** Rotary positions on queries and keys; none by default. */
  readonly rope?: RopeOptions | undefined;
}

/**
 * Multi-head attention, self-attention unless a context is given. Queries, keys and values have a map each; published
 * files with one `qkv` map hold the three below one another.
 */
export class Attention extends Module {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly proj: Linear;
  readonly rope: Rope | undefined;
  readonly #heads: number;

  constructor(options: AttentionOptions & { generator: Generator }) {
    super();
    const { width, contextWidth = width, heads, qkvBias, generator } = options;
    this.#heads = heads;
    const outer = { bias: qkvBias !== 'none', generator };
    this.qProj = new Linear(width, width, outer);
    this.kProj = new Linear(contextWidth, width, { bias: qkvBias === 'all', generator });
    this.vProj = new Linear(contextWidth, width, outer);
    this.proj = new Linear(width, width, { bias: options.bias, generator });
    this.rope = options.rope && new Rope(width / heads, options.rope);
  }

  forward(x_BND: Tensor, inputs: AttentionInputs = {}): Tensor {
    return scope(() => {
      const [q, k, v] = this.#queriesKeysValues(x_BND, inputs);
      const mixed_BANF = ops.scaledDotProductAttention(q, k, v, inputs.bias_1ANM);
      return this.proj.forward(ops.flatten(ops.transpose(mixed_BANF, 1, 2), 2, 3));
    });
  }

  /** How the first `queries` tokens divide their attention among all tokens, by head: (B, A, queries, M), rows sum to one. */
  weights(x_BND: Tensor, inputs: AttentionInputs, queries: number): Tensor {
    return scope(() => {
      const [q_BANF, k_BAMF] = this.#queriesKeysValues(x_BND, inputs);
      const first_BAQF = ops.narrow(q_BANF, 2, 0, queries);
      const scale = 1 / Math.sqrt(first_BAQF.size(3));
      const scores_BAQM = ops.matmul(ops.mul(first_BAQF, scale), ops.transpose(k_BAMF, 2, 3));
      const { bias_1ANM } = inputs;
      return ops.softmax(bias_1ANM ? ops.add(scores_BAQM, ops.narrow(bias_1ANM, 2, 0, queries)) : scores_BAQM, -1);
    });
  }

  /** Each (B, A, N, F), queries and keys turned by their positions. */
  #queriesKeysValues(x_BND: Tensor, { coordinates_BN2, context }: AttentionInputs): [Tensor, Tensor, Tensor] {
    return scope(() => {
      const queryTable = this.#table(coordinates_BN2);
      const keyTable = context ? this.#table(context.coordinates_BM2) : queryTable;
      const keys_BMD = context?.tokens_BMD ?? x_BND;
      const q_BNAF = this.#turned(this.#split(this.qProj.forward(x_BND)), queryTable);
      const k_BMAF = this.#turned(this.#split(this.kProj.forward(keys_BMD)), keyTable);
      const v_BMAF = this.#split(this.vProj.forward(keys_BMD));
      return [q_BNAF, k_BMAF, v_BMAF].map((t) => ops.transpose(t, 1, 2)) as [Tensor, Tensor, Tensor];
    });
  }

  #split(x_BND: Tensor): Tensor {
    return ops.unflatten(x_BND, 2, [this.#heads, -1]);
  }

  #table(coordinates_BN2: Tensor | undefined): RopeTable | undefined {
    if (this.rope === undefined) return undefined;
    if (coordinates_BN2 === undefined)
      throw new ShapeError('Expected coordinates for attention with rotary positions, received none.');
    return this.rope.table(coordinates_BN2);
  }

  #turned(x_BNAF: Tensor, table: RopeTable | undefined): Tensor {
    return table === undefined ? x_BNAF : this.rope!.rotate(x_BNAF, table);
  }
}
