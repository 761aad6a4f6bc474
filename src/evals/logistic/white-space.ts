// R rows of a chunk · D width · C classes
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
import { countRows, meanOf, momentsAround, type Rows } from '../measure/row-chunks.js';

/** Weights of the features, float64 (C, D), and intercepts (1, C), zeros without such. */
export interface LinearModel {
  readonly weights_CD: Tensor;
  readonly intercept_1C: Tensor;
}

/** What the rows say about the coordinates to search in. */
export interface Moments {
  /** What is taken from the rows: their mean with an intercept, which it moves and nothing else; zero without. */
  readonly shift_1D: Tensor;
  /** Variances (second moments without an intercept) along their axes, the columns. */
  readonly variances: Float64Array;
  readonly axes_DD: Tensor;
}

export function momentsOf(rows: Rows, centred: boolean): Moments {
  return scope(() => {
    const shift_1D = centred ? meanOf(rows) : ops.zeros([1, rows.all_ND.size(1)], 'float64', 'cpu');
    const [variances_D, axes_DD] = ops.eigh(momentsAround(shift_1D, rows, 1 / countRows(rows)));
    return { shift_1D, variances: variances_D.data() as Float64Array, axes_DD };
  });
}

/**
 * Coordinates in which the objective is about equally curved everywhere: with M the second moments, at first it has the
 * curvature (1/C) M + penalty for the weights of a class. Points are (C, D) weights, then C intercepts.
 */
export class WhiteSpace {
  readonly dimensions: number;
  readonly #classes: number;
  readonly #moments: Moments;
  readonly #scales_1D: Tensor;
  readonly #interceptScale: number;

  constructor(moments: Moments, classes: number, penalty: number) {
    const curvature = 1 / classes;
    const scales = moments.variances.map((variance) => 1 / Math.sqrt(curvature * Math.max(variance, 0) + penalty));
    this.#classes = classes;
    this.#moments = moments;
    this.#scales_1D = Tensor.from(scales, [1, scales.length]);
    this.#interceptScale = 1 / Math.sqrt(curvature);
    this.dimensions = classes * (scales.length + 1);
  }

  /** A model of the shifted rows. */
  toModel(point: Float64Array): LinearModel {
    const weights = this.#classes * this.#scales_1D.length;
    const white_CD = Tensor.from(point.subarray(0, weights), [this.#classes, this.#scales_1D.length]);
    const white_1C = Tensor.from(point.subarray(weights), [1, this.#classes]);
    return {
      weights_CD: ops.matmul(ops.mul(white_CD, this.#scales_1D), ops.transpose(this.#moments.axes_DD, 0, 1)),
      intercept_1C: ops.mul(white_1C, this.#interceptScale),
    };
  }

  /** The gradient at a point from that of its model. */
  toGradient({ weights_CD, intercept_1C }: LinearModel): Float64Array {
    const white_CD = ops.mul(ops.matmul(weights_CD, this.#moments.axes_DD), this.#scales_1D);
    return this.#point(white_CD, ops.mul(intercept_1C, this.#interceptScale));
  }

  /** The model of the rows as they are. */
  toFit(point: Float64Array): LinearModel {
    const { weights_CD, intercept_1C } = this.toModel(point);
    return { weights_CD, intercept_1C: ops.sub(intercept_1C, this.#ofShift(weights_CD)) };
  }

  /** Undoes `toFit`. */
  fromModel({ weights_CD, intercept_1C }: LinearModel): Float64Array {
    const white_CD = ops.div(ops.matmul(weights_CD, this.#moments.axes_DD), this.#scales_1D);
    const shifted_1C = ops.add(intercept_1C, this.#ofShift(weights_CD));
    return this.#point(white_CD, ops.mul(shifted_1C, 1 / this.#interceptScale));
  }

  /** Square of the part of a point that the intercepts have. */
  squaredIntercept(point: Float64Array): number {
    return point.subarray(-this.#classes).reduce((sum, value) => sum + value * value, 0);
  }

  #ofShift(weights_CD: Tensor): Tensor {
    return ops.matmul(this.#moments.shift_1D, ops.transpose(weights_CD, 0, 1));
  }

  #point(white_CD: Tensor, white_1C: Tensor): Float64Array {
    const point = new Float64Array(this.dimensions);
    point.set(white_CD.data() as Float64Array);
    point.set(white_1C.data() as Float64Array, white_CD.length);
    return point;
  }
}
