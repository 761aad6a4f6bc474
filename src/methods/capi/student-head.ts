// D width · K prototypes
import { ones, truncatedNormal } from '../../nn/init.js';
import { Linear } from '../../nn/linear.js';
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

  forward(x: Tensor): Tensor {
    return scope(() => {
      const length_K1 = ops.add(ops.norm(this.weightV, 2, [-1], true), 1e-8);
      return ops.linear(x, ops.mul(this.weightV, ops.div(this.weightG, length_K1)));
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
    return scope(() => {
      let inner = x;
      for (const [index, layer] of this.layers.entries()) inner = layer.forward(index > 0 ? ops.gelu(inner) : inner);
      const unit = ops.div(inner, ops.clampMin(ops.norm(inner, 2, [-1], true), 1e-12));
      return this.lastLayer.forward(unit);
    });
  }
}
