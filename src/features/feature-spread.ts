// S tokens of all images · D width
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';

/** Rows scaled to unit length; rows of zeros stay. */
export function unitRows(features_SD: Tensor): Tensor {
  return scope(() => ops.div(features_SD, ops.clampMin(ops.norm(features_SD, 2, [-1], true), 1e-7)));
}

/**
 * Root of the total variance of features (any two axes, D) over all tokens, each scaled to unit length: near 1 where they
 * point everywhere, 0 where they have collapsed to one direction.
 */
export function featureSpread(features: Tensor): Tensor {
  return scope(() => ops.sqrt(ops.sum(ops.varDim(unitRows(ops.flatten(features, 0, 1)), [0]))));
}
