// N positions · B batch · D width · K prototypes
import type { ProcessGroup } from '../../distributed/process-group.js';
import { normal, zeros } from '../../nn/init.js';
import { Module, type Parameter } from '../../nn/module.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';
import { crossEntropy } from './cross-entropy.js';
import { sinkhornKnopp } from './sinkhorn-knopp.js';

/** How logits become balanced assignments. */
export interface BalanceOptions {
  /** Temperature of the assignments. Published: 0.06. */
  readonly targetTemperature: number;
  /** Rounds of Sinkhorn-Knopp. Published: 3. */
  readonly iterations: number;
  /** Balance every position by itself, or all tokens together. Published: positionwise. */
  readonly balance: 'positionwise' | 'pooled';
}

export interface OnlineClusteringOptions extends BalanceOptions {
  readonly width: number;
  readonly prototypes: number;
  /** Temperature of the clustering loss. Published: 0.12. */
  readonly predictionTemperature: number;
}

class PrototypeLayer extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(width: number, prototypes: number, generator: Generator) {
    super();
    this.weight = normal([prototypes, width], 1, generator);
    this.bias = zeros([prototypes]);
  }
}

/** How close features (…, D) are to each prototype: (…, K), the inner product with the unit feature, and its bias. */
export function prototypeLogits(features: Tensor, layer: { readonly weight: Tensor; readonly bias: Tensor }): Tensor {
  return scope(() => {
    const unit = ops.div(features, ops.clampMin(ops.norm(features, 2, [-1], true), 1e-7));
    return ops.linear(unit, layer.weight, layer.bias);
  });
}

/** The teacher's head: prototypes learned on the fly, and soft assignments to them. Source: CAPI model.py `OnlineClustering`. */
export class OnlineClustering extends Module {
  readonly layer: PrototypeLayer;
  readonly options: OnlineClusteringOptions;

  constructor(options: OnlineClusteringOptions, generator: Generator) {
    super();
    this.options = options;
    this.layer = new PrototypeLayer(options.width, options.prototypes, generator);
  }

  /**
   * Balanced assignments of teacher features, and the loss that moves the prototypes towards them.
   * @param features_NBD position first; no gradient flows into them
   * @returns `assignments_NBK`, rows sum to one; `loss`, a scalar with a gradient for weight and bias only
   */
  forward(features_NBD: Tensor, group?: ProcessGroup): { assignments_NBK: Tensor; loss: Tensor } {
    return scope(() => {
      const logits_NBK = prototypeLogits(features_NBD, this.layer);
      const assignments_NBK = balancedAssignments(logits_NBK, this.options, group);
      const loss = crossEntropy(
        ops.flatten(logits_NBK, 0, 1),
        ops.flatten(assignments_NBK, 0, 1),
        this.options.predictionTemperature,
      );
      return { assignments_NBK, loss };
    });
  }
}

/** Sinkhorn-Knopp's assignments (N, B, K) of logits, without a gradient. */
export function balancedAssignments(logits_NBK: Tensor, options: BalanceOptions, group?: ProcessGroup): Tensor {
  const { targetTemperature, iterations, balance } = options;
  return scope(() =>
    noGrad(() => {
      const scores_NBK = ops.div(ops.detach(logits_NBK), targetTemperature);
      if (balance === 'positionwise') return sinkhornKnopp(scores_NBK, iterations, group);
      const [positions, batch] = scores_NBK.shape as [number, number, number];
      const pooled = sinkhornKnopp(ops.flatten(scores_NBK, 0, 1), iterations, group);
      return ops.unflatten(pooled, 0, [positions, batch]);
    }),
  );
}
