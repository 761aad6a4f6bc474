import { LayerNorm } from './layer-norm.js';
import { RmsNorm } from './rms-norm.js';

/** Which normalisation over channels, and what it adds to the variance. */
export interface NormOptions {
  readonly kind: 'layer' | 'rms';
  readonly eps: number;
}

export type Norm = LayerNorm | RmsNorm;

/** @param affine whether it has a weight (and, of kind `layer`, a bias) */
export function createNorm(width: number, { kind, eps }: NormOptions, affine = true): Norm {
  return kind === 'rms' ? new RmsNorm(width, eps, affine) : new LayerNorm(width, eps, affine);
}
