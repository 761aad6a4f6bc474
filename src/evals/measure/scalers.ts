// N rows · R rows of a chunk · D width
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
import { quantile } from './quantile.js';
import { countRows, forRowChunks, meanOf, momentsAround, pickRows, type Rows } from './row-chunks.js';
import type { ScalerName } from './scaler-names.js';

/** Scaled rows are ((row - shift) · axes) / scale. */
export interface Scaler {
  readonly shift: Float64Array;
  readonly scale: Float64Array;
  /** (D, D): the principal axes are its columns. */
  readonly axes?: Float64Array;
  /** Of what is scaled. */
  readonly dtype: 'float32' | 'float64';
}

/** Columns that are sorted at once. */
const COLUMNS = 64;
/** What scikit-learn takes for rounding. */
const EPSILON = Number.EPSILON;

/**
 * Fits a scaler to float rows in double precision. The published names (reference section 7.1) and what they are:
 * - `center`: less the mean of each feature.
 * - `center_div`: less the mean, divided by one deviation over all numbers + 1e-8. Its output is double, as published.
 * - `StandardScaler`: less the mean, divided by the deviation of each feature.
 * - `RobustScaler`: less the median, divided by the distance of the quartiles.
 * - `pca`, `pca_whiten`: turned to all principal axes; whitened, also divided by the deviation along each.
 *
 * A feature that does not vary is not divided. Source: CAPI utils.py (`standardizations`) over scikit-learn.
 */
export function fitScaler(name: Exclude<ScalerName, 'none'>, rows: Rows): Scaler {
  if (name === 'RobustScaler') return { ...quartiles(rows), dtype: 'float32' };
  return scope((): Scaler => {
    const mean_1D = meanOf(rows);
    const shift = mean_1D.data() as Float64Array;
    const ones = shift.map(() => 1);
    if (name === 'center') return { shift, scale: ones, dtype: 'float32' };
    if (name === 'pca' || name === 'pca_whiten') {
      const { variances, axes } = principalAxes(rows, mean_1D);
      const deviations = variances.map((variance) => Math.max(Math.sqrt(Math.max(variance, 0)), EPSILON));
      return { shift, scale: name === 'pca' ? ones : deviations, axes, dtype: 'float32' };
    }
    const { variances, ofAll } = variancesOf(rows, mean_1D);
    if (name === 'center_div') return { shift, scale: ones.map(() => Math.sqrt(ofAll) + 1e-8), dtype: 'float64' };
    return { shift, scale: deviationsOf(variances, shift, countRows(rows)), dtype: 'float32' };
  });
}

/**
 * Scaled rows (N, D), in the scaler's dtype, or without one the rows as they are; the caller disposes of them. Beyond them,
 * one chunk is held.
 */
export function scaleRows(rows: Rows, scaler?: Scaler): Tensor {
  return scope(() => {
    if (scaler === undefined) return pickRows(rows);
    const width = scaler.shift.length;
    const [shift_1D, scale_1D] = [Tensor.from(scaler.shift, [1, width]), Tensor.from(scaler.scale, [1, width])];
    const axes_DD = scaler.axes && Tensor.from(scaler.axes, [width, width]);
    const scaled_ND = ops.empty([countRows(rows), width], scaler.dtype);
    forRowChunks(rows, (rows_RD, from) => {
      const shifted_RD = ops.sub(rows_RD, shift_1D);
      const turned_RD = axes_DD ? ops.matmul(shifted_RD, axes_DD) : shifted_RD;
      ops.copy_(ops.narrow(scaled_ND, 0, from, rows_RD.size(0)), ops.div(turned_RD, scale_1D));
    });
    return scaled_ND;
  });
}

/** Population variances of each feature, and of all numbers together around their one mean. */
function variancesOf(rows: Rows, mean_1D: Tensor): { variances: Float64Array; ofAll: number } {
  const squares_1D = ops.zerosLike(mean_1D);
  forRowChunks(rows, (rows_RD) => {
    const offsets_RD = ops.sub(rows_RD, mean_1D);
    ops.add_(squares_1D, ops.sumDim(ops.mul(offsets_RD, offsets_RD), [0], true));
  });
  const variances_1D = ops.div(squares_1D, countRows(rows));
  const ofMeans = ops.varDim(mean_1D, [1], false, false).item();
  return { variances: variances_1D.data() as Float64Array, ofAll: ops.mean(variances_1D).item() + ofMeans };
}

/** Deviations, 1 where a variance is no more than the rounding of equal numbers leaves. */
function deviationsOf(variances: Float64Array, means: Float64Array, count: number): Float64Array {
  return variances.map((variance, i) => {
    const rounding = count * EPSILON * variance + (count * means[i]! * EPSILON) ** 2;
    return variance <= rounding ? 1 : Math.sqrt(variance);
  });
}

/** Medians and distances of quartiles, interpolated linearly. */
function quartiles(rows: Rows): { shift: Float64Array; scale: Float64Array } {
  const [count, width] = [countRows(rows), rows.all_ND.size(1)];
  const [shift, scale] = [new Float64Array(width), new Float64Array(width)];
  for (let from = 0; from < width; from += COLUMNS) {
    const columns = Math.min(COLUMNS, width - from);
    const block = scope(() => {
      const picked_NC = pickRows({ ...rows, all_ND: ops.narrow(rows.all_ND, 1, from, columns) });
      return ops.contiguous(ops.transpose(ops.to(picked_NC, 'float64'), 0, 1)).data() as Float64Array;
    });
    for (let c = 0; c < columns; c++) {
      const sorted = block.subarray(c * count, (c + 1) * count).sort();
      const distance = quantile(sorted, 0.75) - quantile(sorted, 0.25);
      shift[from + c] = quantile(sorted, 0.5);
      scale[from + c] = distance < 10 * EPSILON ? 1 : distance;
    }
  }
  return { shift, scale };
}

/** Unbiased variances along the principal axes, largest first; the largest entry of each axis is positive. */
function principalAxes(rows: Rows, mean_1D: Tensor): { variances: Float64Array; axes: Float64Array } {
  const [ascending_D, columns_DD] = ops.eigh(momentsAround(mean_1D, rows, 1 / (countRows(rows) - 1)));
  const axes_DD = ops.flip(columns_DD, [1]);
  const largest_1D = ops.amax(axes_DD, [0], true);
  const least_1D = ops.amin(axes_DD, [0], true);
  const turn_1D = ops.gt(ops.neg(least_1D), largest_1D);
  const turned_DD = ops.where(turn_1D, ops.neg(axes_DD), axes_DD);
  return { variances: ops.flip(ascending_D, [0]).data() as Float64Array, axes: turned_DD.data() as Float64Array };
}
