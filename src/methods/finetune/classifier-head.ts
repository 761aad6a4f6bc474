// B images · C classes · D width · T tokens
import { truncatedNormal, zeros } from '../../nn/init.js';
import { Module, type Parameter } from '../../nn/module.js';
import { createNorm, type Norm } from '../../nn/norm.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** Of the initial weights: small enough that all classes are equally likely at first. Source: MAE main_finetune.py. */
const STD = 2e-5;

/**
 * A linear classifier of pooled features, with a norm of its own where the encoder ends without one. Sources: MIM-Refiner
 * models/vit/vit.py and data2vec2_vit.py, mode `classifier`.
 */
export class ClassifierHead extends Module {
  /** (C, D) */
  readonly weight: Parameter;
  /** (C) */
  readonly bias: Parameter;
  readonly norm: Norm | undefined;

  constructor(options: {
    readonly width: number;
    readonly classes: number;
    /** Epsilon of the head's own norm; none where absent. */
    readonly normEps: number | undefined;
    readonly generator: Generator;
  }) {
    super();
    const { width, classes, normEps, generator } = options;
    this.weight = truncatedNormal([classes, width], STD, generator);
    this.bias = zeros([classes]);
    this.norm = normEps === undefined ? undefined : createNorm(width, { kind: 'layer', eps: normEps });
  }

  /** Logits (B, C). */
  forward(pooled_BD: Tensor): Tensor {
    return scope(() => ops.linear(this.norm?.forward(pooled_BD) ?? pooled_BD, this.weight, this.bias));
  }
}
