// N rows · D width · C classes · R rows of a chunk
import { minimiseLbfgs } from '../../optim/lbfgs.js';
import { ShapeError, UsageError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../tensor/tensor.js';
import { countRows, forRowChunks, type Rows } from '../measure/row-chunks.js';
import { type LinearModel, type Moments, momentsOf, WhiteSpace } from './white-space.js';

export interface LogisticOptions {
  /** Number of classes, two or more; targets are 0 to classes - 1. */
  readonly classes: number;
  readonly intercept: boolean;
  /** The excess over the minimum, in shares of it, that ends a fit (1e-6). */
  readonly tolerance?: number;
  /** Steps of a fit at most (1000, as CAPI). */
  readonly maxIterations?: number;
}

/** A fitted classifier. */
export interface LogisticFit {
  /** (C, D), row by row. */
  readonly weights: Float64Array;
  /** (C); zeros where there is none. */
  readonly intercept: Float64Array;
  /** Mean cross-entropy + |W|² / (2·strength·N). */
  readonly objective: number;
  /** How much lower the minimum may be, in shares of the objective (by the convexity that the penalty gives). */
  readonly excess: number;
  readonly iterations: number;
}

/**
 * Multinomial logistic regression with an L2 penalty, in double precision. The objective is the mean cross-entropy
 * + |W|² / (2·C·N) with a free intercept: scikit-learn's and cuML's at the same C. It is convex; L-BFGS runs in coordinates
 * in which the features are white, so that their scales do not matter, and a fit ends with a bound on what is left to the
 * minimum. Memory beyond the rows: D x D numbers, forty points of C x D, and one chunk.
 *
 * Source: CAPI eval_segmentation.py (reference section 7.1); MIM-Refiner offline_logreg_callback.py (5.3).
 */
export class LogisticRegression {
  readonly #rows: Rows;
  readonly #targets_N1: Tensor;
  readonly #options: Required<LogisticOptions>;
  readonly #moments: Moments;
  /** Shares of the targets' parts in the gradient, which are the same everywhere. */
  readonly #targetSlope: LinearModel;

  /**
   * Borrows the rows, floats on the CPU, which must stay as they are until it is disposed of.
   *
   * @throws {ShapeError} the numbers of rows and targets differ. @throws {UsageError} there are fewer than two classes.
   */
  constructor(rows: Rows, targets: Int32Array, options: LogisticOptions) {
    if (countRows(rows) !== targets.length) {
      throw new ShapeError(`Expected a target for each of ${countRows(rows)} rows, received ${targets.length}.`);
    }
    if (options.classes < 2) {
      throw new UsageError(`A classifier needs two classes or more, received ${options.classes}.`);
    }
    this.#rows = rows;
    this.#options = { tolerance: 1e-6, maxIterations: 1000, ...options };
    this.#targets_N1 = scope(() => ops.to(Tensor.from(targets, [targets.length, 1]), 'int64'));
    this.#moments = momentsOf(rows, options.intercept);
    this.#targetSlope = this.#ofTargets(options.classes);
  }

  /**
   * The minimum for one inverse strength of the penalty (scikit-learn's C).
   *
   * @param start a fit of these rows to begin with: the minimum is the same, and from a near one it is reached sooner
   */
  fit(strength: number, start?: LogisticFit): LogisticFit {
    const { classes, tolerance, maxIterations } = this.#options;
    const penalty = 1 / (strength * countRows(this.#rows));
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
        const from = start ? space.fromModel(modelOf(start)) : new Float64Array(space.dimensions);
        const isMinimum = ({ excess }: { excess: number }) => excess <= tolerance;
        const { at, value, excess, iterations } = minimiseLbfgs(evaluate, from, { isMinimum, maxIterations });
        const { weights_CD, intercept_1C } = space.toFit(at);
        const [weights, intercept] = [weights_CD.data() as Float64Array, intercept_1C.data() as Float64Array];
        return { weights, intercept, objective: value, excess, iterations };
      }),
    );
  }

  [Symbol.dispose](): void {
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
    const share = 1 / countRows(this.#rows);
    let loss = 0;
    forRowChunks(this.#rows, (raw_RD, from) => {
      const rows_RD = ops.sub(raw_RD, this.#moments.shift_1D);
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
      const [rows, width] = [countRows(this.#rows), this.#rows.all_ND.size(1)];
      const weights_CD = ops.zeros([classes, width], 'float64', 'cpu');
      const slope = { weights_CD, intercept_1C: ops.zeros([1, classes], 'float64', 'cpu') };
      const names_1C = ops.to(
        Tensor.from(
          Int32Array.from({ length: classes }, (_, c) => c),
          [1, classes],
        ),
        'int64',
      );
      forRowChunks(this.#rows, (raw_RD, from) => {
        const rows_RD = ops.sub(raw_RD, this.#moments.shift_1D);
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
 * @param rows floats, as wide as those that were fitted
 */
export function predictClasses(fit: LogisticFit, rows: Rows): Int32Array {
  const predicted = new Int32Array(countRows(rows));
  scope(() => {
    const { weights_CD, intercept_1C } = modelOf(fit);
    const weights_DC = ops.transpose(weights_CD, 0, 1);
    forRowChunks(rows, (rows_RD, from) => {
      predicted.set(ops.argmax(ops.addmm(intercept_1C, rows_RD, weights_DC), 1).numbers(), from);
    });
  });
  return predicted;
}

function squared(tensor: Tensor): number {
  return ops.sum(ops.mul(tensor, tensor)).item();
}

function modelOf({ weights, intercept }: LogisticFit): LinearModel {
  const classes = intercept.length;
  return {
    weights_CD: Tensor.from(weights, [classes, weights.length / classes]),
    intercept_1C: Tensor.from(intercept, [1, classes]),
  };
}
