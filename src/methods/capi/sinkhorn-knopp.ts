// G groups that are balanced apart from each other · S samples of a group · K prototypes
import type { ProcessGroup } from '../../distributed/process-group.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';

/** Keeps the exponentials of a column in the upper half of the number range. */
const SHIFT = 50;
const EPS = 1e-8;

/**
 * Balances scores so that within each group every prototype gets the same mass and every sample's row sums to one.
 *
 * Columns (over the samples, and over all processes of a group) are normalised first, then rows; it ends on rows. For
 * positionwise balancing G are the positions and S the images; for pooled balancing G is 1 and S all tokens.
 *
 * @param scores_GSK floating point, temperature already divided out; borrowed
 * @param iterations column and row rounds, at least 1
 * @param group processes whose samples are balanced together: one all-reduce for the maximum and one a round
 * @returns (G, S, K), the caller's
 *
 * Source: CAPI section 3.2; model.py `stable_exp`, `sinkhorn_knopp`.
 */
export function sinkhornKnopp(scores_GSK: Tensor, iterations: number, group?: ProcessGroup): Tensor {
  return scope(() =>
    noGrad(() => {
      const shift_G1K = ops.amax(scores_GSK, [-2], true);
      group?.allReduce(shift_G1K, 'max');
      const mass_GSK = ops.add(scores_GSK, ops.add(ops.neg(shift_G1K), SHIFT));
      ops.exp_(mass_GSK);
      for (let round = 0; round < iterations; round++) {
        const columns_G1K = ops.sumDim(mass_GSK, [-2], true);
        group?.allReduce(columns_G1K, 'sum');
        ops.div_(mass_GSK, ops.add(columns_G1K, EPS));
        ops.div_(mass_GSK, ops.add(ops.sumDim(mass_GSK, [-1], true), EPS));
      }
      return mass_GSK;
    }),
  );
}
