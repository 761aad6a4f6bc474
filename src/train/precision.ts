import { z } from 'zod';
import type { DType } from '../tensor/dtype.js';

/** Setting of every method: in which type it computes. */
export const precision = z
  .enum(['float32', 'float64', 'bfloat16'])
  .default('float32')
  .describe('Type of parameters and activations; bfloat16 is that of matrix products only, all else is float32.');

/** Type of the parameters, the optimisers' moments and the images. */
export function parameterType(precision: 'float32' | 'float64' | 'bfloat16'): DType {
  return precision === 'bfloat16' ? 'float32' : precision;
}
