// N rows · D width · C classes · R rows of a chunk
import { minimiseLbfgs } from '../optim/lbfgs.js';
import { ShapeError, UsageError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../tensor/tensor.js';

export interface LogisticOptions {
  /** Number of classes, two or more; targets are 0 to classes - 1. */
  readonly classes: number;
  readonly intercept: boolean;
  /** The excess over the minimum, in shares of it, that ends a fit (1e-6). */
  readonly tolerance?: number;
  /** Steps of a fit at most (1000, as CAPI). */
  readonly maxIterations?: number;
}

/** Weights of the features, float64 (C, D), and intercepts (1, C), zeros without such. */
interface LinearModel {
  readonly weights_CD: Tensor;
  readonly intercept_1C: Tensor;
}

/** A fitted classifier, whose tensors the caller disposes of. */
export interface LogisticFit extends LinearModel {
  /** Mean cross-entropy + |W|² / (2·strength·N). */
  readonly objective: number;
  /** How much lower the minimum may be at most, in shares of the objective (by the convexity that the penalty gives). */
  readonly excess: number;
  readonly iterations: number;
}

/** Bytes of float64 rows that are worked on at once: they are read twice and should stay in a core's cache. */
const CHUNK_BYTES = 2 ** 20;

/**
 * Multinomial logistic regression with an L2 penalty, in double precision. The objective is the mean cross-entropy
 * + |W|² / (2·C·N) with a free intercept: scikit-learn's and cuML's at the same C. It is convex; L-BFGS runs in coordinates
 * in which the features are white, so that their scales do not matter, and a fit ends with a bound on what is left to the
 * minimum. Memory beyond the rows: D x D numbers, forty points of C x D, and one chunk.
 *
 * Source: CAPI eval_segmentation.py (reference section 7.1); MIM-Refiner offline_logreg_callback.py (5.3).
 */
export class LogisticRegression {
  readonly #rows_ND: Tensor;
  readonly #targets_N1: Tensor;
  readonly #options: Required<LogisticOptions>;
  readonly #moments: Moments;
  /** Shares of the targets' parts in the gradient, which are the same everywhere. */
  readonly #targetSlope: LinearModel;

  /**
   * Borrows the rows, floats (N, D) on the CPU, which must stay as they are until `dispose`.
   *
   * @throws {ShapeError} the numbers of rows and targets differ. @throws {UsageError} there are fewer than two classes.
   */
  constructor(rows_ND: Tensor, targets: Int32Array, options: LogisticOptions) {
    if (rows_ND.size(0) !== targets.length) {
      throw new ShapeError(`Expected a target for each of ${rows_ND.size(0)} rows, received ${targets.length}.`);
    }
    if (options.classes < 2) {
      throw new UsageError(`A classifier needs two classes or more, received ${options.classes}.`);
    }
    this.#rows_ND = rows_ND;
    this.#options = { tolerance: 1e-6, maxIterations: 1000, ...options };
    this.#targets_N1 = scope(() => ops.to(Tensor.from(targets, [targets.length, 1]), 'int64'));
    this.#moments = momentsOf(rows_ND, options.intercept);
    this.#targetSlope = this.#ofTargets(options.classes);
  }

  /**
   * The minimum for one inverse strength of the penalty (scikit-learn's C).
   *
   * @param start a fit of these rows to begin with: the minimum is the same, and from a near one it is reached sooner
   */
  fit(strength: number, start?: LogisticFit): LogisticFit {
    const { classes, tolerance, maxIterations } = this.#options;
    const penalty = 1 / (strength * this.#rows_ND.size(0));
    return noGrad(() =>
      scope(() => {
        const space = new WhiteSpace(this.#moments, classes, penalty);
        const evaluate = (point: Float64Array) =>
          scope(() => {
            const model = space.toModel(point);
            const { loss, slope } = this.#loss(model);
            const weights_CD = ops.add(slope.weights_CD, ops.mul(model.weights_CD, penalty));
            const gradient = { weights_CD, intercept_1C: slope.intercept_1C };
            const value = loss + (penalty / 2) * squared(model.weights_CD);
            const white = space.toGradient(gradient);
            // The penalty is the curvature that the weights have at least. The intercept has no such bound: about one.
            const left = Math.max(squared(weights_CD) / penalty, space.squaredIntercept(white));
            return { value, excess: left / 2 / value, gradient: white };
          });
        const from = start ? space.fromModel(start) : new Float64Array(space.dimensions);
        const isMinimum = ({ excess }: { excess: number }) => excess <= tolerance;
        const { at, value, excess, iterations } = minimiseLbfgs(evaluate, from, { isMinimum, maxIterations });
        return { ...space.toFit(at), objective: value, excess, iterations };
      }),
    );
  }

  dispose(): void {
    const { shift_1D, axes_DD } = this.#moments;
    for (const tensor of [this.#targets_N1, shift_1D, axes_DD, ...Object.values(this.#targetSlope)]) tensor.dispose();
  }

  /** Mean cross-entropy of a model of the shifted rows, and its gradient. */
  #loss(model: LinearModel): { loss: number; slope: LinearModel } {
    const slope = {
      weights_CD: ops.clone(this.#targetSlope.weights_CD),
      intercept_1C: ops.clone(this.#targetSlope.intercept_1C),
    };
    const weights_DC = ops.transpose(model.weights_CD, 0, 1);
    const share = 1 / this.#rows_ND.size(0);
    let loss = 0;
    forChunks(this.#rows_ND, this.#moments.shift_1D, (rows_RD, from) => {
      const targets_R1 = ops.narrow(this.#targets_N1, 0, from, rows_RD.size(0));
      const logs_RC = ops.logSoftmax(ops.addmm(model.intercept_1C, rows_RD, weights_DC), 1);
      loss -= share * ops.sum(ops.gather(logs_RC, 1, targets_R1)).item();
      ops.exp_(logs_RC);
      addSlope_(slope, logs_RC, rows_RD, share);
    });
    // Without an intercept it stays zero.
    if (!this.#options.intercept) ops.mul_(slope.intercept_1C, 0);
    return { loss, slope };
  }

  #ofTargets(classes: number): LinearModel {
    return scope(() => {
      const [rows, width] = this.#rows_ND.shape as [number, number];
      const weights_CD = ops.zeros([classes, width], 'float64', 'cpu');
      const slope = { weights_CD, intercept_1C: ops.zeros([1, classes], 'float64', 'cpu') };
      const names_1C = ops.to(Tensor.from(Int32Array.from({ length: classes }, (_, c) => c), [1, classes]), 'int64');
      forChunks(this.#rows_ND, this.#moments.shift_1D, (rows_RD, from) => {
        const targets_R1 = ops.narrow(this.#targets_N1, 0, from, rows_RD.size(0));
        addSlope_(slope, ops.to(ops.eq(targets_R1, names_1C), 'float64'), rows_RD, -1 / rows);
      });
      return slope;
    });
  }
}

/** Adds a share of what weights of classes (R, C) make of rows. */
function addSlope_(slope: LinearModel, weights_RC: Tensor, rows_RD: Tensor, share: number): void {
  ops.addmm_(slope.weights_CD, ops.transpose(weights_RC, 0, 1), rows_RD, 1, share);
  ops.add_(slope.intercept_1C, ops.mul(ops.sumDim(weights_RC, [0], true), share));
}

/**
 * The most probable class of each row, the lowest of equals.
 *
 * @param rows_ND floats, as wide as those that were fitted
 */
export function predictClasses(fit: LinearModel, rows_ND: Tensor): Int32Array {
  const predicted = new Int32Array(rows_ND.size(0));
  scope(() => {
    const weights_DC = ops.transpose(fit.weights_CD, 0, 1);
    forChunks(rows_ND, undefined, (rows_RD, from) => {
      predicted.set(ops.argmax(ops.addmm(fit.intercept_1C, rows_RD, weights_DC), 1).numbers(), from);
    });
  });
  return predicted;
}

/** What the rows say about the coordinates to search in. */
interface Moments {
  /** What is taken from the rows: their mean with an intercept, which it moves and nothing else; zero without. */
  readonly shift_1D: Tensor;
  /** Variances (second moments without an intercept) along their axes, the columns. */
  readonly variances: Float64Array;
  readonly axes_DD: Tensor;
}

function momentsOf(rows_ND: Tensor, centred: boolean): Moments {
  return scope(() => {
    const [rows, width] = rows_ND.shape as [number, number];
    const sum_1D = ops.zeros([1, width], 'float64', 'cpu');
    if (centred) forChunks(rows_ND, undefined, (rows_RD) => void ops.add_(sum_1D, ops.sumDim(rows_RD, [0], true)));
    const shift_1D = ops.mul(sum_1D, 1 / rows);
    const moments_DD = ops.zeros([width, width], 'float64', 'cpu');
    forChunks(rows_ND, shift_1D, (rows_RD) => {
      ops.addmm_(moments_DD, ops.transpose(rows_RD, 0, 1), rows_RD, 1, 1 / rows);
    });
    const [variances_D, axes_DD] = ops.eigh(moments_DD);
    return { shift_1D, variances: variances_D.data() as Float64Array, axes_DD };
  });
}

/**
 * Coordinates in which the objective is about equally curved everywhere: with M the second moments, at first it has the
 * curvature (1/C) M + penalty for the weights of a class. Points are (C, D) weights, then C intercepts.
 */
class WhiteSpace {
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

function squared(tensor: Tensor): number {
  return ops.sum(ops.mul(tensor, tensor)).item();
}

/** Calls `use` with float64 chunks of rows, less `shift_1D`, and the place of their first. */
function forChunks(rows_ND: Tensor, shift_1D: Tensor | undefined, use: (rows_RD: Tensor, from: number) => void): void {
  const [rows, width] = rows_ND.shape as [number, number];
  const step = Math.max(1, Math.floor(CHUNK_BYTES / (8 * width)));
  for (let from = 0; from < rows; from += step) {
    scope(() => {
      const rows_RD = ops.to(ops.narrow(rows_ND, 0, from, Math.min(step, rows - from)), 'float64');
      use(shift_1D === undefined ? rows_RD : ops.sub(rows_RD, shift_1D), from);
    });
  }
}
