// S samples · K prototypes
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';

/**
 * Mean over the samples of -Σₖ target·log softmax(logits / temperature); the rows are added up in float64.
 * @param logits_SK with gradients; @param targets_SK without
 */
export function crossEntropy(logits_SK: Tensor, targets_SK: Tensor, temperature: number): Tensor {
  return scope(() => {
    const logProbabilities_SK = ops.logSoftmax(ops.div(logits_SK, temperature), -1);
    const rows_S = ops.sumDim(ops.mul(targets_SK, logProbabilities_SK), [-1]);
    return ops.div(ops.neg(ops.sum(rows_S, 'float64')), logits_SK.size(0));
  });
}

/** Mean entropy of the rows in nats: 0 for certain assignments, ln K for uniform ones. */
export function meanEntropy(assignments_SK: Tensor): Tensor {
  return scope(() => noGrad(() => ops.neg(ops.mean(ops.sumDim(ops.xlogy(assignments_SK, assignments_SK), [-1])))));
}
