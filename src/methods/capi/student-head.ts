// D width · K prototypes · S samples
import { ones, truncatedNormal } from '../../nn/init.js';
import { Linear } from '../../nn/linear.js';
import { Module, type Parameter } from '../../nn/module.js';
import { wide } from '../../tensor/autocast.js';
import { hasKernels } from '../../tensor/fused.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { crossEntropy } from './cross-entropy.js';

/** A linear layer whose rows are directions times a trained length: g·v / (‖v‖ + 1e-8). */
class WeightNormLinear extends Module {
  readonly weightG: Parameter;
  readonly weightV: Parameter;

  constructor(inputs: number, outputs: number, generator: Generator) {
    super();
    this.weightG = ones([outputs, 1]);
    this.weightV = truncatedNormal([outputs, inputs], 0.02, generator);
  }

  /** The rows that features are multiplied with: (outputs, inputs). */
  weight(): Tensor {
    return scope(() => {
      const length_K1 = ops.add(ops.norm(this.weightV, 2, [-1], true), 1e-8);
      return ops.mul(this.weightV, ops.div(this.weightG, length_K1));
    });
  }
}

/** Sizes of a head. */
export interface HeadOptions {
  readonly width: number;
  readonly prototypes: number;
  /** Layers before the cosines, as iBOT has them; none as CAPI was published. */
  readonly mlp?: { readonly hidden: number; readonly bottleneck: number } | undefined;
}

/**
 * The student's head: cosines to K directions, scaled by their trained lengths. Source: CAPI model.py `L2NormLinear`; with
 * an MLP before it, DINO vision_transformer.py `DINOHead` (three layers, GELU between them).
 */
export class StudentHead extends Module {
  readonly layers: Linear[];
  readonly lastLayer: WeightNormLinear;

  constructor({ width, prototypes, mlp }: HeadOptions, generator: Generator) {
    super();
    const widths = mlp ? [width, mlp.hidden, mlp.hidden, mlp.bottleneck] : [width];
    this.layers = widths
      .slice(1)
      .map((outputs, index) => new Linear(widths[index]!, outputs, { bias: true, generator }));
    this.lastLayer = new WeightNormLinear(widths.at(-1)!, prototypes, generator);
  }

  /** Logits (…, K) of features (…, D). */
  forward(x: Tensor): Tensor {
    return scope(() => wide(ops.linear(this.#unit(x), this.lastLayer.weight())));
  }

  /**
   * Mean over the samples of the cross-entropy of targets (S, K), which have no gradient, and what the head makes of
   * features (S, D). On the processor the logits of all samples are never kept.
   */
  crossEntropy(x_SD: Tensor, targets_SK: Tensor, temperature: number): Tensor {
    return scope(() => {
      const unit_SD = this.#unit(x_SD);
      const weight_KD = this.lastLayer.weight();
      if (hasKernels(unit_SD)) return ops.prototypeCrossEntropy(unit_SD, weight_KD, targets_SK, temperature);
      return crossEntropy(wide(ops.linear(unit_SD, weight_KD)), targets_SK, temperature);
    });
  }

  /** Unit vectors that the directions are compared with. */
  #unit(x: Tensor): Tensor {
    return scope(() => {
      let inner = x;
      for (const [index, layer] of this.layers.entries()) inner = layer.forward(index > 0 ? ops.gelu(inner) : inner);
      return ops.div(inner, ops.clampMin(ops.norm(inner, 2, [-1], true), 1e-12));
    });
  }
}
