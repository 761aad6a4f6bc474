/** Value and gradient of a smooth function at a point. */
export interface Evaluation {
  readonly value: number;
  readonly gradient: Float64Array;
}

/** A point and the function there. */
type Point<E extends Evaluation = Evaluation> = E & { readonly at: Float64Array };

export interface LbfgsOptions<E extends Evaluation> {
  /** True where the gradient is small enough; also called for the start. */
  readonly isMinimum: (evaluation: E) => boolean;
  /** Steps at most (1000). */
  readonly maxIterations?: number;
  /** Pairs of steps and gradients that model the curvature (20). */
  readonly memory?: number;
}

/** Where the search ended. */
export type Minimum<E extends Evaluation> = Point<E> & {
  readonly iterations: number;
  /** `isMinimum` holds there. Otherwise the steps ran out, or none leads down any more. */
  readonly converged: boolean;
};

/** A step is taken when the slope along it has risen from s to between FALL s and RISE |s|. */
const FALL = 0.9;
const RISE = 0.8;
/** Relative change of a value that rounding may have made. */
const ROUNDING = 1e-13;
const MOST_TRIALS = 40;

/**
 * Minimises a convex function by L-BFGS in double precision. The line search judges by slopes, which stay exact where
 * values no longer differ (the approximate Wolfe conditions of Hager and Zhang, 2005), so that minima are met to rounding.
 *
 * @param start not changed
 */
export function minimiseLbfgs<E extends Evaluation>(
  evaluate: (point: Float64Array) => E,
  start: Float64Array,
  options: LbfgsOptions<E>,
): Minimum<E> {
  const { isMinimum, maxIterations = 1000, memory = 20 } = options;
  let point: Point<E> = { ...evaluate(start), at: start };
  const pairs: Pair[] = [];
  for (let iterations = 0; ; iterations++) {
    const converged = isMinimum(point);
    if (converged || iterations === maxIterations) return { ...point, iterations, converged };
    const next = searchLine(evaluate, point, descent(point.gradient, pairs));
    if (next === undefined) return { ...point, iterations, converged };
    pairs.push(pairOf(point, next));
    if (pairs.length > memory) pairs.shift();
    point = next;
  }
}

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  /** 1 / (step · change) */
  readonly inverse: number;
}

function pairOf(from: Point, to: Point): Pair {
  const step = to.at.map((value, i) => value - from.at[i]!);
  const change = to.gradient.map((value, i) => value - from.gradient[i]!);
  return { step, change, inverse: 1 / dot(step, change) };
}

/** The two-loop recursion (Nocedal, 1980). */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.map((value) => -value);
  const weights = new Float64Array(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { step, change, inverse } = pairs[i]!;
    weights[i] = inverse * dot(step, direction);
    addScaled(direction, change, -weights[i]!);
  }
  const last = pairs.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.inverse * dot(last.change, last.change));
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  pairs.forEach(({ step, change, inverse }, i) => {
    addScaled(direction, step, weights[i]! - inverse * dot(change, direction));
  });
  return direction;
}

/** A point along the direction that satisfies the conditions; undefined when rounding leaves none. */
function searchLine<E extends Evaluation>(
  evaluate: (point: Float64Array) => E,
  from: Point<E>,
  direction: Float64Array,
): Point<E> | undefined {
  const start = dot(from.gradient, direction);
  if (!(start < 0)) return undefined;
  let low = { length: 0, slope: start };
  let high: { length: number; slope: number } | undefined;
  let length = 1;
  for (let trial = 0; trial < MOST_TRIALS; trial++) {
    const at = from.at.slice();
    addScaled(at, direction, length);
    const point = { ...evaluate(at), at };
    const slope = dot(point.gradient, direction);
    const risen = !(point.value <= from.value + ROUNDING * Math.abs(from.value));
    if (risen || !(slope <= -RISE * start)) high = { length, slope };
    else if (slope < FALL * start) low = { length, slope };
    else return point;
    length = high === undefined ? 4 * low.length : between(low, high);
  }
  return undefined;
}

/** Where the slope is zero if it is linear, but not too near to an end. */
function between(low: { length: number; slope: number }, high: { length: number; slope: number }): number {
  const width = high.length - low.length;
  const share = high.slope > 0 ? low.slope / (low.slope - high.slope) : 0.5;
  return low.length + width * Math.min(0.9, Math.max(0.1, share));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(target: Float64Array, source: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += factor * source[i]!;
}
