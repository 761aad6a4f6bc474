// N rows · D width
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** Mean and deviation of each feature, float32 (1, D); the caller disposes of them. */
export interface Scaler {
  readonly mean_1D: Tensor;
  readonly scale_1D: Tensor;
}

/**
 * What standardising rows (N, D) takes: population statistics in double precision, a scale of 1 where nothing varies.
 * Source: scikit-learn's `StandardScaler`, CAPI's default; MIM-Refiner's k-NN differs from it by a common factor (unbiased
 * deviation) and by the 1e-6 that it adds to the deviation.
 */
export function fitScaler(rows_ND: Tensor): Scaler {
  return scope(() => {
    const rows = ops.to(rows_ND, 'float64');
    const deviation_1D = ops.sqrt(ops.varDim(rows, [0], false, true));
    const scale_1D = ops.where(ops.gt(deviation_1D, 0), deviation_1D, ops.add(ops.zerosLike(deviation_1D), 1));
    return {
      mean_1D: ops.to(ops.meanDim(rows, [0], true), 'float32'),
      scale_1D: ops.to(scale_1D, 'float32'),
    };
  });
}

/** Standardises rows (N, D) in place, for copies. */
export function standardise_(rows_ND: Tensor, scaler: Scaler): void {
  ops.sub_(rows_ND, scaler.mean_1D);
  ops.div_(rows_ND, scaler.scale_1D);
}

/** Rows (N, D) standardised; the caller disposes of them. */
export function standardised(rows_ND: Tensor, scaler: Scaler): Tensor {
  return scope(() => {
    const copy_ND = ops.sub(rows_ND, scaler.mean_1D);
    ops.div_(copy_ND, scaler.scale_1D);
    return copy_ND;
  });
}
