// S samples · D width · K prototypes
import { ones, truncatedNormal } from '../../nn/init.js';
import { Module, type Parameter } from '../../nn/module.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** A linear layer whose rows are directions times a trained length: g·v / (‖v‖ + 1e-8). */
class WeightNormLinear extends Module {
  readonly weightG: Parameter;
  readonly weightV: Parameter;

  constructor(inputs: number, outputs: number, generator: Generator) {
    super();
    this.weightG = ones([outputs, 1]);
    this.weightV = truncatedNormal([outputs, inputs], 0.02, generator);
  }

  forward(x_SD: Tensor): Tensor {
    return scope(() => {
      const length_K1 = ops.add(ops.norm(this.weightV, 2, [-1], true), 1e-8);
      return ops.linear(x_SD, ops.mul(this.weightV, ops.div(this.weightG, length_K1)));
    });
  }
}

/** The student's head: cosines to K directions, scaled by their trained lengths. Source: CAPI model.py `L2NormLinear`. */
export class StudentHead extends Module {
  readonly lastLayer: WeightNormLinear;

  constructor(width: number, prototypes: number, generator: Generator) {
    super();
    this.lastLayer = new WeightNormLinear(width, prototypes, generator);
  }

  /** Logits (S, K) of predictor outputs (S, D). */
  forward(x_SD: Tensor): Tensor {
    return scope(() => {
      const unit_SD = ops.div(x_SD, ops.clampMin(ops.norm(x_SD, 2, [-1], true), 1e-12));
      return this.lastLayer.forward(unit_SD);
    });
  }
}
