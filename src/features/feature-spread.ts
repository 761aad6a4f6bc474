// S tokens of all images · D width
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';

/**
 * Root of the total variance of features (any two axes, D) over all tokens, each scaled to unit length: near 1 where they
 * point everywhere, 0 where they have collapsed to one direction.
 */
export function featureSpread(features: Tensor): Tensor {
  return scope(() => {
    const flat_SD = ops.flatten(features, 0, 1);
    const unit_SD = ops.div(flat_SD, ops.clampMin(ops.norm(flat_SD, 2, [-1], true), 1e-7));
    return ops.sqrt(ops.sum(ops.varDim(unit_SD, [0])));
  });
}
