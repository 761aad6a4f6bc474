// N positions · B batch · D width · K prototypes · S chosen patches of all images
import type { ProcessGroup } from '../../distributed/process-group.js';
import { normal, zeros } from '../../nn/init.js';
import { Module, type Parameter } from '../../nn/module.js';
import { wide } from '../../tensor/autocast.js';
import { hasKernels } from '../../tensor/fused.js';
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
    return wide(ops.linear(unit, layer.weight, layer.bias));
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

  /**
   * What the training step needs of {@link forward}: the assignments of some patches. On the processor nothing is kept of
   * the others where positions are balanced by themselves and in one process.
   * @param patches absolute int64 indices into the flattened (B·N) patches
   * @param count whether to count, for each prototype, the tokens that it is the likeliest of
   */
  forwardAt(features_NBD: Tensor, patches: Tensor, count: boolean, group?: ProcessGroup): PatchAssignments {
    const { targetTemperature, predictionTemperature, iterations, balance } = this.options;
    return scope(() => {
      if (balance === 'positionwise' && group === undefined && hasKernels(features_NBD)) {
        const { weight, bias } = this.layer;
        const temperatures = [targetTemperature, predictionTemperature] as const;
        const [loss, assignments_SK, winners_K] = ops.onlineClustering(
          ...([features_NBD, weight, bias, patches, ...temperatures, iterations, count] as const),
        );
        return { assignments_SK, loss, ...(count && { winners_K }) };
      }
      const { assignments_NBK, loss } = this.forward(features_NBD, group);
      return { ...chosen(assignments_NBK, patches, count), loss };
    });
  }
}

/** Assignments of chosen patches, one a row, and, where they are counted, the tokens that each prototype wins. */
export interface ChosenAssignments {
  readonly assignments_SK: Tensor;
  readonly winners_K?: Tensor;
}

export interface PatchAssignments extends ChosenAssignments {
  readonly loss: Tensor;
}

/** Rows of all assignments at absolute indices into the flattened (B·N) patches. */
export function chosen(assignments_NBK: Tensor, patches: Tensor, count: boolean): ChosenAssignments {
  return scope(() => {
    const rows = ops.flatten(ops.transpose(assignments_NBK, 0, 1), 0, 1);
    const winners = () => ops.bincount(ops.argmax(rows, -1), null, rows.size(1));
    return { assignments_SK: ops.indexSelect(rows, 0, patches), ...(count && { winners_K: winners() }) };
  });
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
