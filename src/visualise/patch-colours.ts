// N images · S patches of all images · P patches of one image · Y X rows and columns of patches · D width · C components
import type { Raster } from '../data/resample.js';
import { ShapeError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';

/** Patch features as colours, one pixel a patch: components computed for each image alone, and for all together. */
export interface PatchColours {
  readonly alone: readonly Raster[];
  readonly together: readonly Raster[];
}

/** Scores within this many standard deviations of the first component get a colour of their own. */
const colourRange = 2.3;

/**
 * The first three principal components of patch features (N, Y, X, D) as red, green and blue.
 * Source: CAPI eval_visualizations.py, with its default `whiten: true`.
 *
 * @throws {ShapeError} the features are not of that shape, or narrower than three.
 */
export function patchColours(features_NYXD: Tensor): PatchColours {
  const { shape } = features_NYXD;
  const [images, rows, columns, width] = shape as [number, number, number, number];
  if (shape.length !== 4 || width < 3) {
    throw new ShapeError(`Expected patch features (N, Y, X, D) with D of at least 3, received [${shape}].`);
  }
  return scope(() => {
    const features_NPD = ops.flatten(features_NYXD, 1, 2);
    const colours = (features_SD: Tensor) => toColours(principalScores(features_SD, 3));
    const joint = colours(ops.flatten(features_NPD, 0, 1));
    const bytes = rows * columns * 3;
    const raster = (data: Uint8Array): Raster => ({ data, width: columns, height: rows });
    const each = Array.from({ length: images }, (_, image) => image);
    return {
      alone: each.map((image) => raster(colours(ops.select(features_NPD, 0, image)))),
      together: each.map((image) => raster(joint.slice(image * bytes, (image + 1) * bytes))),
    };
  });
}

/**
 * Scores of features (S, D) on their first components, strongest first, row by row (S, C), in double precision:
 * whitened, with non-negative skewness, in units of the population standard deviation of the first one. Components
 * without variance score 0.
 *
 * The published code turns signs before it scales joint scores, and after it for single images; skewness does not
 * depend on the scale, so that both are this.
 */
export function principalScores(features_SD: Tensor, count: number): Float64Array {
  const scores = scope(() =>
    noGrad(() => {
      const double_SD = ops.toDevice(features_SD, 'cpu', 'float64');
      const centred_SD = ops.sub(double_SD, ops.meanDim(double_SD, [0], true));
      const samples = Math.max(1, centred_SD.size(0) - 1);
      const covariance_DD = ops.div(ops.matmul(ops.transpose(centred_SD, 0, 1), centred_SD), samples);
      const [variances, vectors_DD] = ops.eigh(covariance_DD);
      const first = vectors_DD.size(1) - count;
      const strongest = ops.flip(ops.narrow(vectors_DD, 1, first, count), [1]);
      const variance_C = ops.flip(ops.narrow(variances, 0, first, count), [0]).numbers();
      const scores_SC = ops.contiguous(ops.matmul(centred_SD, strongest)).data() as Float64Array;
      whiten(scores_SC, variance_C);
      return scores_SC;
    }),
  );
  turnSigns(scores, count);
  const deviation = Math.sqrt(moment(scores, count, 0, 2) - moment(scores, count, 0, 1) ** 2);
  return deviation > 0 ? scores.map((score) => score / deviation) : scores;
}

/** Scores in columns of unit variance; columns that are rounding errors become 0. */
function whiten(scores_SC: Float64Array, variance_C: readonly number[]): void {
  const least = Math.max(variance_C[0]! * 1e-12, Number.MIN_VALUE);
  const scale = variance_C.map((variance) => (variance > least ? 1 / Math.sqrt(variance) : 0));
  for (let i = 0; i < scores_SC.length; i++) scores_SC[i] = scores_SC[i]! * scale[i % scale.length]!;
}

/** Eigenvectors have no sign of their own: the longer tail goes to the positive side. */
function turnSigns(scores_SC: Float64Array, count: number): void {
  for (let component = 0; component < count; component++) {
    if (moment(scores_SC, count, component, 3) >= 0) continue;
    for (let i = component; i < scores_SC.length; i += count) scores_SC[i] = -scores_SC[i]!;
  }
}

/** Mean of a power of one column. */
function moment(scores_SC: Float64Array, count: number, column: number, power: number): number {
  let sum = 0;
  for (let i = column; i < scores_SC.length; i += count) sum += scores_SC[i]! ** power;
  return (sum * count) / scores_SC.length;
}

/** Scores to bytes, truncated as numpy's conversion does. */
function toColours(scores: Float64Array): Uint8Array {
  return Uint8Array.from(scores, (score) => {
    const share = (score + colourRange) / (2 * colourRange);
    return Math.trunc(Math.min(1, Math.max(0, share)) * 255);
  });
}
