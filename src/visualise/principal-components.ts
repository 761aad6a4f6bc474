// S samples · D width · C components
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../tensor/tensor.js';

/** How many components, and whether each is scaled to unit variance (published: true) or only the first one is. */
export interface ComponentOptions {
  readonly count: number;
  readonly whiten: boolean;
}

/** Number, mean and scatter of features, the sum of (x - mean)(x - mean)ᵀ: all that components are computed from. */
export interface FeatureMoments {
  readonly count: number;
  readonly mean_D: Tensor;
  readonly scatter_DD: Tensor;
}

/** Principal components, strongest first: scores are (x - mean) times the matrix. Float64 on the CPU. */
export interface PrincipalComponents {
  readonly mean_D: Tensor;
  readonly matrix_DC: Tensor;
  /** Variance along each component, with S - 1 in the denominator. */
  readonly variances: readonly number[];
  /** Variance along all axes together. */
  readonly totalVariance: number;
}

/**
 * The components of features (S, D), with their signs turned so that the longer tail of the scores is positive. At most
 * D of them. Source: CAPI eval_visualizations.py; it scales joint scores after turning signs and those of single images
 * before, but skewness does not depend on the scale, so that both are this.
 */
export function fitComponents(features_SD: Tensor, options: ComponentOptions): PrincipalComponents {
  return scope(() => {
    const components = componentsOf(momentsOf(features_SD), options);
    return turned(components, tailsOf(principalScores(features_SD, components)));
  });
}

export function momentsOf(features_SD: Tensor): FeatureMoments {
  return scope(() =>
    noGrad(() => {
      const double_SD = ops.toDevice(features_SD, 'cpu', 'float64');
      const mean_D = ops.meanDim(double_SD, [0]);
      const centred_SD = ops.sub(double_SD, mean_D);
      const scatter_DD = ops.matmul(ops.transpose(centred_SD, 0, 1), centred_SD);
      return { count: features_SD.size(0), mean_D, scatter_DD };
    }),
  );
}

/** The moments of two sets together, without loss of digits (Chan, Golub and LeVeque 1979). */
export function mergeMoments(one: FeatureMoments, other: FeatureMoments): FeatureMoments {
  return scope(() => {
    const count = one.count + other.count;
    const apart_D = ops.sub(other.mean_D, one.mean_D);
    const between_DD = ops.mul(ops.unsqueeze(apart_D, 1), ops.mul(apart_D, (one.count * other.count) / count));
    return {
      count,
      mean_D: ops.add(one.mean_D, ops.mul(apart_D, other.count / count)),
      scatter_DD: ops.add(ops.add(one.scatter_DD, other.scatter_DD), between_DD),
    };
  });
}

/** Components whose signs are as the solver left them: `turned` gives them a sign. */
export function componentsOf(
  { count, mean_D, scatter_DD }: FeatureMoments,
  options: ComponentOptions,
): PrincipalComponents {
  const width = mean_D.size(0);
  const kept = Math.min(options.count, width);
  return scope(() => {
    const [ascending_D, vectors_DD] = ops.eigh(ops.div(scatter_DD, Math.max(1, count - 1)));
    const vectors_DC = ops.flip(ops.narrow(vectors_DD, 1, width - kept, kept), [1]);
    const all = ascending_D.numbers();
    const variances = all.slice(-kept).reverse();
    const scale_C = Tensor.from(scales(variances, count, options.whiten), [kept]);
    return {
      mean_D: ops.clone(mean_D),
      matrix_DC: ops.mul(vectors_DC, scale_C),
      variances,
      totalVariance: all.reduce((sum, variance) => sum + variance, 0),
    };
  });
}

/**
 * Factors after which the scores of the first component (of each one, if whitened) have a population variance of 1, as
 * numpy's `std` has it; 0 for components that are rounding errors.
 */
function scales(variances: readonly number[], count: number, whiten: boolean): Float64Array {
  const first = variances[0]!;
  const least = Math.max(first * 1e-12, Number.MIN_VALUE);
  const population = Math.max(1, count - 1) / count;
  return Float64Array.from(variances, (variance) => {
    const unit = whiten ? variance : first;
    return unit >= least ? 1 / Math.sqrt(unit * population) : 0;
  });
}

/** Scores (S, C) in float64 on the CPU, in units of the deviation of the first component. */
export function principalScores(features_SD: Tensor, { mean_D, matrix_DC }: PrincipalComponents): Tensor {
  return scope(() => noGrad(() => ops.matmul(ops.sub(ops.toDevice(features_SD, 'cpu', 'float64'), mean_D), matrix_DC)));
}

/** Sums of the cubes of scores (S, C), whose signs are those of the skewnesses. Those of parts may be added. */
export function tailsOf(scores_SC: Tensor): number[] {
  return scope(() => ops.sumDim(ops.mul(ops.mul(scores_SC, scores_SC), scores_SC), [0]).numbers());
}

/** Eigenvectors have no sign of their own: the components with the longer tail of scores on the positive side. */
export function turned(components: PrincipalComponents, tails: readonly number[]): PrincipalComponents {
  return scope(() => {
    const signs = Tensor.from(
      Float64Array.from(tails, (tail) => (tail < 0 ? -1 : 1)),
      [tails.length],
    );
    return { ...components, mean_D: ops.clone(components.mean_D), matrix_DC: ops.mul(components.matrix_DC, signs) };
  });
}

export function disposeComponents({ mean_D, matrix_DC }: PrincipalComponents): void {
  for (const tensor of [mean_D, matrix_DC]) tensor.dispose();
}
