// B batch · N query tokens · M key tokens · D width · A heads · F channels of a head
import { ShapeError } from '../support/errors.js';
import { hasKernels } from '../tensor/fused.js';
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
  readonly #count: number;

  constructor(options: AttentionOptions & { generator: Generator }) {
    super();
    const { width, contextWidth = width, heads, qkvBias, generator } = options;
    this.#count = heads;
    const outer = { bias: qkvBias !== 'none', generator };
    this.qProj = new Linear(width, width, outer);
    this.kProj = new Linear(contextWidth, width, { bias: qkvBias === 'all', generator });
    this.vProj = new Linear(contextWidth, width, outer);
    this.proj = new Linear(width, width, { bias: options.bias, generator });
    this.rope = options.rope && new Rope(width / heads, options.rope);
  }

  forward(x_BND: Tensor, inputs: AttentionInputs = {}): Tensor {
    return scope(() => {
      const heads = this.heads(x_BND, inputs);
      return this.proj.forward(ops.flatten(hasKernel(heads, inputs) ? fused(heads) : this.plain(heads, inputs), 2, 3));
    });
  }

  /** What `fused` computes, with plain operators: (B, N, A, F). */
  plain(heads: Heads, { bias_1ANM }: AttentionInputs): Tensor {
    return scope(() => {
      const [q_BANF, k_BAMF, v_BAMF] = this.#turned(heads);
      return ops.transpose(ops.scaledDotProductAttention(q_BANF, k_BAMF, v_BAMF, bias_1ANM), 1, 2);
    });
  }

  /** How the first `queries` tokens divide their attention among all tokens, by head: (B, A, queries, M), rows sum to one. */
  weights(x_BND: Tensor, inputs: AttentionInputs, queries: number): Tensor {
    return scope(() => {
      const [q_BANF, k_BAMF] = this.#turned(this.heads(x_BND, inputs));
      const first_BAQF = ops.narrow(q_BANF, 2, 0, queries);
      const scale = 1 / Math.sqrt(first_BAQF.size(3));
      const scores_BAQM = ops.matmul(ops.mul(first_BAQF, scale), ops.transpose(k_BAMF, 2, 3));
      const { bias_1ANM } = inputs;
      return ops.softmax(bias_1ANM ? ops.add(scores_BAQM, ops.narrow(bias_1ANM, 2, 0, queries)) : scores_BAQM, -1);
    });
  }

  /** Queries, keys and values of tokens (B, N, D). */
  heads(x_BND: Tensor, { coordinates_BN2, context }: AttentionInputs): Heads {
    return scope(() => {
      const queryTable = this.#table(coordinates_BN2);
      const keyTable = context ? this.#table(context.coordinates_BM2) : queryTable;
      const keys_BMD = context?.tokens_BMD ?? x_BND;
      return {
        q_BNAF: this.#split(this.qProj.forward(x_BND)),
        k_BMAF: this.#split(this.kProj.forward(keys_BMD)),
        v_BMAF: this.#split(this.vProj.forward(keys_BMD)),
        queryTable,
        keyTable,
      };
    });
  }

  /** Queries, keys and values, each (B, A, N, F), the first two turned by their positions. */
  #turned({ q_BNAF, k_BMAF, v_BMAF, queryTable, keyTable }: Heads): [Tensor, Tensor, Tensor] {
    return scope(() => {
      const turn = (x: Tensor, table: RopeTable | undefined) => (table ? this.rope!.rotate(x, table) : x);
      const heads = [turn(q_BNAF, queryTable), turn(k_BMAF, keyTable), v_BMAF];
      return heads.map((t) => ops.transpose(t, 1, 2)) as [Tensor, Tensor, Tensor];
    });
  }

  #split(x_BND: Tensor): Tensor {
    return ops.unflatten(x_BND, 2, [this.#count, -1]);
  }

  #table(coordinates_BN2: Tensor | undefined): RopeTable | undefined {
    if (this.rope === undefined) return undefined;
    if (coordinates_BN2 === undefined)
      throw new ShapeError('Expected coordinates for attention with rotary positions, received none.');
    return this.rope.table(coordinates_BN2);
  }
}

/** Queries, keys and values by head, and where their tokens are. */
export interface Heads {
  readonly q_BNAF: Tensor;
  readonly k_BMAF: Tensor;
  readonly v_BMAF: Tensor;
  readonly queryTable: RopeTable | undefined;
  readonly keyTable: RopeTable | undefined;
}

/** The kernel takes no bias, and gives no gradient to frequencies. */
function hasKernel({ q_BNAF, queryTable }: Heads, { bias_1ANM }: AttentionInputs): boolean {
  return bias_1ANM === undefined && hasKernels(q_BNAF) && !queryTable?.cos_BN1F.requiresGrad;
}

/** Scores stay in the cache, and queries and keys are turned on the way: (B, N, A, F). */
function fused({ q_BNAF, k_BMAF, v_BMAF, queryTable, keyTable }: Heads): Tensor {
  const tables = [queryTable, keyTable].flatMap((t) => [t?.cos_BN1F ?? null, t?.signedSin_BN1F ?? null]);
  return ops.fusedAttention(...([q_BNAF, k_BMAF, v_BMAF, ...tables] as Parameters<typeof ops.fusedAttention>));
}
