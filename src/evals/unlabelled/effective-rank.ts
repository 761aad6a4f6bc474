// N images · D width
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** What both sources add to the shares. */
const EPSILON = 1e-7;
/** What LiDAR adds to the scatter within images. */
const DELTA = 1e-4;

/**
 * RankMe of features (N, D): the exponential of the entropy of their singular values, from 1 to the smaller of N and D.
 * Source: Garrido et al. 2023 (arXiv 2210.02885), equation 1.
 */
export function rankMe(features_ND: Tensor): number {
  return scope(() => {
    const double_ND = ops.to(features_ND, 'float64');
    const [squares_D] = ops.eigh(ops.matmul(ops.transpose(double_ND, 0, 1), double_ND));
    return effectiveRank(squares_D.numbers().map((square) => Math.sqrt(Math.max(square, 0))));
  });
}

/** Scatter of the features of crops, in double precision: (D, D). */
export interface CropScatter {
  /** Mean of (mean of an image - mean of all)(…)ᵀ over images. */
  readonly between_DD: Tensor;
  /** Mean of (crop - mean of its image)(…)ᵀ over crops. */
  readonly within_DD: Tensor;
}

/**
 * LiDAR: the same entropy of the eigenvalues of linear discriminant analysis in which every image is a class and its crops are
 * the samples. Source: Thilak et al. 2023 (arXiv 2312.04000), equations 1 to 5, δ 1e-4.
 */
export function lidar({ between_DD, within_DD }: CropScatter): number {
  return scope(() => {
    const [values_D, vectors_DD] = ops.eigh(within_DD);
    const deviations_1D = ops.unsqueeze(ops.sqrt(ops.add(ops.clampMin(values_D, 0), DELTA)), 0);
    const white_DD = ops.matmul(ops.div(vectors_DD, deviations_1D), ops.transpose(vectors_DD, 0, 1));
    const [ratios_D] = ops.eigh(ops.matmul(ops.matmul(white_DD, between_DD), white_DD));
    return effectiveRank(ratios_D.numbers().map((ratio) => Math.max(ratio, 0)));
  });
}

function effectiveRank(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const shares = values.map((value) => value / sum + EPSILON);
  return Math.exp(-shares.reduce((total, share) => total + share * Math.log(share), 0));
}
