// B batch · S samples kept · N tokens · D width
import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';

export interface DropPathOptions {
  /** Share of samples for which a residual branch is left out, in [0, 1). */
  readonly rate: number;
  /**
   * `efficient` computes the branch for ⌊B·(1-rate)⌋ samples (at least one) and scales by B over that number;
   * `naive` computes it for all, drops each with probability `rate` and scales by 1/(1-rate). `refiner` is `efficient`, but
   * `naive` where the batch is so small that rounding would leave out more than the rate and a hundredth.
   */
  readonly kind: 'efficient' | 'naive' | 'refiner';
}

/** Share of a batch that `refiner` may drop too many. */
const ROUNDED_OFF = 0.01;

/** Picks rows of the batch: an identity where all rows stay. */
export type SelectRows = (tensor: Tensor) => Tensor;

/**
 * x plus its residual branch, dropped for some samples while training.
 * @param branch gets the tokens, and a function that picks the same samples from anything else it uses
 * @param generator present while training; absent, nothing is dropped
 *
 * Source: CAPI model.py `EfficientResidual`, `NaiveResidual`; MIM-Refiner, kappamodules `DropPath`.
 */
export function residual(
  x_BND: Tensor,
  branch: (x_SND: Tensor, select: SelectRows) => Tensor,
  options: DropPathOptions,
  generator: Generator | undefined,
): Tensor {
  return scope(() => {
    if (generator === undefined || options.rate === 0)
      return ops.add(
        x_BND,
        branch(x_BND, (tensor) => tensor),
      );
    const batch = x_BND.size(0);
    const keep = 1 - options.rate;
    const kept = Math.max(Math.floor(batch * keep), 1);
    if (options.kind === 'naive' || (options.kind === 'refiner' && keep - kept / batch > ROUNDED_OFF)) {
      const mask_B11 = ops.empty([batch, 1, 1], x_BND.dtype, x_BND.device);
      ops.bernoulli_(mask_B11, keep, generator);
      return ops.add(
        x_BND,
        ops.div(
          ops.mul(
            branch(x_BND, (tensor) => tensor),
            mask_B11,
          ),
          keep,
        ),
      );
    }
    const rows_S = ops.narrow(ops.randperm(batch, generator, 'int64', x_BND.device), 0, 0, kept);
    // Coordinates shared by the whole batch (first axis 1) are the same for every sample.
    const select: SelectRows = (tensor) => (tensor.size(0) === batch ? ops.indexSelect(tensor, 0, rows_S) : tensor);
    return ops.indexAdd(x_BND, 0, rows_S, ops.to(branch(select(x_BND), select), x_BND.dtype), batch / kept);
  });
}
