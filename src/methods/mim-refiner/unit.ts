import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** Vectors along the last axis scaled to length 1 (PyTorch `normalize`). */
export function unit(x: Tensor): Tensor {
  return scope(() => ops.div(x, ops.clampMin(ops.norm(x, 2, [-1], true), 1e-12)));
}
