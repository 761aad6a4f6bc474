// S patches · D width · K clusters
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../tensor/tensor.js';
import type { ClusterScores } from './cluster-survey.js';

/** Features scaled to length 1, so that distances are those of angles. */
export function unitFeatures(features_SD: Tensor): Tensor {
  return scope(() => ops.div(features_SD, ops.clampMin(ops.norm(features_SD, 2, [-1], true), 1e-12)));
}

/** The means (K, D) of clusters of unit features; the caller owns them. @param clusters (S) 0 to K - 1, none of them empty */
export function clusterCentres(unit_SD: Tensor, clusters: Int32Array, count: number): Tensor {
  return scope(() => {
    const sizes = new Float32Array(count);
    for (const cluster of clusters) sizes[cluster]!++;
    const sums_KD = ops.indexAdd(
      ops.zeros([count, unit_SD.size(1)], 'float32', unit_SD.device),
      0,
      Tensor.from(clusters, [clusters.length]),
      unit_SD,
    );
    return ops.div(sums_KD, Tensor.from(sizes, [count, 1]));
  });
}

/** Scores by which a patch belongs to the centre (K, D) that is nearest to its unit feature. */
export function nearestCentre(centres_KD: Tensor): ClusterScores {
  return (features_SD) =>
    scope(() =>
      noGrad(() => {
        const centres = ops.toDevice(centres_KD, features_SD.device, 'float32');
        const halfSquares_K = ops.mul(ops.sumDim(ops.mul(centres, centres), [1], false), 0.5);
        return ops.sub(ops.matmul(unitFeatures(features_SD), ops.transpose(centres, 0, 1)), halfSquares_K);
      }),
    );
}
