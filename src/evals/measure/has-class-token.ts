import * as ops from '../../tensor/ops.generated.js';
import { scope } from '../../tensor/tensor.js';
import type { EvaluationContext } from '../task.js';

/** Whether an encoder gives class tokens. */
export function hasClassToken({ encoder, size, device }: EvaluationContext): boolean {
  return scope(() => encoder.embed(ops.zeros([1, 3, size, size], 'float32', device)).class_BD !== undefined);
}
