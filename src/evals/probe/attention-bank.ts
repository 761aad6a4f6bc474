// B batch · N tokens · H heads (classifiers) · A attention heads of each · F channels of an attention head · D = A·F width
// C classes
import { truncatedNormal, zeros } from '../../nn/init.js';
import type { Parameter } from '../../nn/module.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { HeadBank } from './head-bank.js';

const CHANNELS = 64;
const STD = 0.02;

/**
 * Classifiers that pool tokens with a trained query each, then map linearly. Source: CAPI eval_classification.py
 * `AttnPoolClassifier`.
 *
 * Keys and values are never computed for the tokens: a query's product with a key (q·Wx) is that of the token with one
 * vector (Wᵀq·x), and the mean of values is the value of the mean token, as the weights sum to one. That is the same
 * number for a share of the work, 1/F of it for the tokens, and it lets one matrix product serve all heads. The bias of the
 * keys moves all products of a query alike, which softmax does not see; it has no gradient and is left out.
 */
export class AttentionBank extends HeadBank {
  /** (H, A, F) */
  readonly query: Parameter;
  /** (H, A, F, D) */
  readonly keyWeight: Parameter;
  readonly valueWeight: Parameter;
  /** (H, A, F) */
  readonly valueBias: Parameter;
  /** (H, C, D) */
  readonly weight: Parameter;
  /** (H, C) */
  readonly bias: Parameter;

  constructor(options: { heads: number; width: number; classes: number; generator: Generator }) {
    const { heads, width, classes, generator } = options;
    super(heads);
    const attention = attentionHeads(width);
    const split = [heads, attention, width / attention];
    this.query = truncatedNormal(split, STD, generator);
    this.keyWeight = truncatedNormal([...split, width], STD, generator);
    this.valueWeight = truncatedNormal([...split, width], STD, generator);
    this.valueBias = zeros(split);
    this.weight = truncatedNormal([heads, classes, width], STD, generator);
    this.bias = zeros([heads, classes]);
  }

  forward(x_BND: Tensor): Tensor {
    return scope(() => {
      const [heads, attention, channels] = this.query.shape as [number, number, number];
      const asked_HA1D = ops.matmul(ops.unsqueeze(this.query, 2), this.keyWeight);
      const asked_GD = ops.div(ops.flatten(asked_HA1D, 0, 2), Math.sqrt(channels));
      const weights_BGN = ops.softmax(ops.transpose(ops.linear(x_BND, asked_GD), 1, 2), 2);
      const pooled_BGD = ops.matmul(weights_BGN, x_BND);
      const pooled_HABD = ops.permute(ops.unflatten(pooled_BGD, 1, [heads, attention]), [1, 2, 0, 3]);
      const values_HABF = ops.matmul(pooled_HABD, ops.transpose(this.valueWeight, 2, 3));
      const biased_HABF = ops.add(values_HABF, ops.unsqueeze(this.valueBias, 2));
      const mixed_HBD = ops.flatten(ops.permute(biased_HABF, [0, 2, 1, 3]), 2, 3);
      const logits_HBC = ops.matmul(mixed_HBD, ops.transpose(this.weight, 1, 2));
      return ops.transpose(ops.add(logits_HBC, ops.unsqueeze(this.bias, 1)), 0, 1);
    });
  }
}

/** 64 channels each, as published; where they do not divide the width, the next larger number that does. */
function attentionHeads(width: number): number {
  let channels = Math.min(CHANNELS, width);
  while (width % channels !== 0) channels++;
  return width / channels;
}
