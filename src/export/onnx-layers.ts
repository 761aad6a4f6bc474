// B batch · N query tokens · M key tokens · D width · A heads · F channels of a head
import type { Attention } from '../nn/attention.js';
import type { Block } from '../nn/block.js';
import type { Linear } from '../nn/linear.js';
import type { Mlp } from '../nn/mlp.js';
import type { Norm } from '../nn/norm.js';
import { RmsNorm } from '../nn/rms-norm.js';
import type { Rope } from '../nn/rope.js';
import type { OnnxGraph, Value } from './onnx-graph.js';

/** What a block does, beside its weights. */
export interface BlockKind {
  readonly width: number;
  readonly heads: number;
  readonly placement: 'pre' | 'post';
  readonly activation: 'gelu' | 'swiglu';
}

/** What attention gets beside its tokens, as `AttentionInputs`; all images share coordinates (N, 2). */
export interface AttentionValues {
  readonly coordinates_N2?: Value | undefined;
  readonly context?: { readonly tokens_BMD: Value; readonly coordinates_M2: Value | undefined };
  readonly bias_1ANM?: Value | undefined;
}

/** x Wᵀ + b over the last axis. */
function linear(g: OnnxGraph, { weight, bias }: Linear, x: Value): Value {
  const product = g.node('MatMul', [x, g.weight(weight, true)]);
  return bias ? g.node('Add', [product, g.weight(bias)]) : product;
}

/** A norm over the last axis, of `width` channels. */
export function norm(g: OnnxGraph, layer: Norm, x: Value, width: number): Value {
  const { weight, eps } = layer;
  const filled = (value: number) => g.floats(Array<number>(width).fill(value), [width]);
  if (!(layer instanceof RmsNorm)) {
    // A bias need not be there, but an old onnxruntime leaves the process where there is none.
    const inputs = [x, weight ? g.weight(weight) : filled(1), layer.bias ? g.weight(layer.bias) : filled(0)];
    return g.node('LayerNormalization', inputs, { axis: -1, epsilon: { float: eps } });
  }
  const mean = g.node('ReduceMean', [g.node('Mul', [x, x])], { axes: [-1], keepdims: 1 });
  const root = g.node('Sqrt', [g.node('Add', [mean, g.floats([eps])])]);
  const normed = g.node('Div', [x, root]);
  return weight ? g.node('Mul', [normed, g.weight(weight)]) : normed;
}

/** A transformer block. Source: nn/block.ts. */
export function block(
  g: OnnxGraph,
  { residual1, residual2 }: Block,
  kind: BlockKind,
  x: Value,
  given: AttentionValues,
) {
  const attended = branch(g, residual1, kind, x, (inner) => attention(g, residual1.fn, kind, inner, given));
  return branch(g, residual2, kind, attended, (inner) => mlp(g, residual2.fn, kind, inner));
}

function branch(
  g: OnnxGraph,
  { scale, norm: layer }: Block['residual1'] | Block['residual2'],
  { placement, width }: BlockKind,
  x: Value,
  apply: (x: Value) => Value,
): Value {
  const result = apply(placement === 'pre' ? norm(g, layer, x, width) : x);
  const sum = g.node('Add', [x, scale ? g.node('Mul', [result, g.weight(scale)]) : result]);
  return placement === 'pre' ? sum : norm(g, layer, sum, width);
}

function mlp(g: OnnxGraph, { fc1, fc2 }: Mlp, { activation }: BlockKind, x: Value): Value {
  const inner = linear(g, fc1, x);
  if (activation === 'gelu') {
    const phi = g.node('Add', [g.node('Erf', [g.node('Mul', [inner, g.floats([Math.SQRT1_2])])]), g.floats([1])]);
    return linear(g, fc2, g.node('Mul', [g.node('Mul', [inner, phi]), g.floats([0.5])]));
  }
  const [gate, value] = g.nodes('Split', [inner], { axis: -1 }, 2) as [Value, Value];
  return linear(g, fc2, g.node('Mul', [g.node('Mul', [gate, g.node('Sigmoid', [gate])]), value]));
}

function attention(g: OnnxGraph, layer: Attention, kind: BlockKind, x: Value, given: AttentionValues): Value {
  const { width, heads } = kind;
  const { coordinates_N2, context, bias_1ANM } = given;
  const keys_BMD = context?.tokens_BMD ?? x;
  const table = (coordinates: Value | undefined) =>
    layer.rope && coordinates ? ropeTable(g, layer.rope, coordinates) : undefined;
  const split = (tokens: Value) => {
    const apart = g.node('Reshape', [tokens, g.integers(0, 0, heads, width / heads)]);
    return g.node('Transpose', [apart], { perm: [0, 2, 1, 3] });
  };
  const q_BANF = turned(g, split(linear(g, layer.qProj, x)), table(coordinates_N2));
  const keyTable = table(context ? context.coordinates_M2 : coordinates_N2);
  const k_BAMF = turned(g, split(linear(g, layer.kProj, keys_BMD)), keyTable);
  const v_BAMF = split(linear(g, layer.vProj, keys_BMD));
  const k_BAFM = g.node('Transpose', [k_BAMF], { perm: [0, 1, 3, 2] });
  const scaled_BANF = g.node('Mul', [q_BANF, g.floats([1 / Math.sqrt(width / heads)])]);
  const product_BANM = g.node('MatMul', [scaled_BANF, k_BAFM]);
  const weights_BANM = g.node('Softmax', [bias_1ANM ? g.node('Add', [product_BANM, bias_1ANM]) : product_BANM], {
    axis: -1,
  });
  const mixed_BNAF = g.node('Transpose', [g.node('MatMul', [weights_BANM, v_BAMF])], { perm: [0, 2, 1, 3] });
  return linear(g, layer.proj, g.node('Reshape', [mixed_BNAF, g.integers(0, 0, width)]));
}

interface RopeTable {
  readonly cos_NF: Value;
  readonly signedSin_NF: Value;
}

/** Cosines and signed sines of the angles of all tokens. Source: nn/rope.ts `Rope.table`. */
function ropeTable(g: OnnxGraph, { freqs }: Rope, coordinates_N2: Value): RopeTable {
  const angle_NF = g.node('MatMul', [coordinates_N2, g.constant(freqs)]);
  const [lower, upper] = g.nodes('Split', [g.node('Sin', [angle_NF])], { axis: -1 }, 2) as [Value, Value];
  const signedSin_NF = g.node('Concat', [g.node('Neg', [lower]), upper], { axis: -1 });
  return { cos_NF: g.node('Cos', [angle_NF]), signedSin_NF };
}

/** Queries or keys (B, A, N, F) turned by their table. Source: nn/rope.ts `Rope.rotate`. */
function turned(g: OnnxGraph, x_BANF: Value, table: RopeTable | undefined): Value {
  if (table === undefined) return x_BANF;
  const [lower, upper] = g.nodes('Split', [x_BANF], { axis: -1 }, 2) as [Value, Value];
  const swapped_BANF = g.node('Concat', [upper, lower], { axis: -1 });
  return g.node('Add', [g.node('Mul', [x_BANF, table.cos_NF]), g.node('Mul', [swapped_BANF, table.signedSin_NF])]);
}
