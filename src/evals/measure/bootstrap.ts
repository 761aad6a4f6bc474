import { Random } from '../../support/random.js';
import { quantile } from './quantile.js';

/** Separates these random numbers from those of other users of the same seed: "boot". */
const STREAM = 0x626f6f74;

/** Lower and upper end of a 95 % interval. */
export type Interval = readonly [number, number];

/** The values that an interval was taken from, in the order in which images were drawn. */
const valuesOf = new WeakMap<Interval, readonly number[]>();

/**
 * 95 % percentile intervals of metrics over images: images are drawn with replacement, as many as there are, and the
 * metrics computed anew; the 2.5th and 97.5th percentiles of that, interpolated linearly, are the ends. Source: Efron and
 * Tibshirani, An Introduction to the Bootstrap, section 13.3.
 *
 * @param count number of images
 * @param metrics the metrics when image `i` counts `weights[i]` times; must not keep the array
 */
export function bootstrapIntervals<Name extends string>(
  count: number,
  metrics: (weights: Uint32Array) => Record<Name, number>,
  { seed, resamples = 1000 }: { readonly seed: number; readonly resamples?: number },
): Record<Name, Interval> {
  const random = Random.from(seed, STREAM);
  const weights = new Uint32Array(count);
  const values = new Map<Name, number[]>();
  for (let resample = 0; resample < resamples; resample++) {
    weights.fill(0);
    for (let draw = 0; draw < count; draw++) weights[random.integer(0, count - 1)]!++;
    for (const [name, value] of Object.entries(metrics(weights)) as [Name, number][]) {
      values.set(name, [...(values.get(name) ?? []), value]);
    }
  }
  return Object.fromEntries([...values].map(([name, list]) => [name, interval(list)])) as Record<Name, Interval>;
}

/**
 * The 95 % interval of the difference of two metrics (first less second) over the same draws of the same images: narrower than
 * two intervals beside each other, because an image that is hard for both leaves the difference as it is.
 *
 * @returns undefined unless both are intervals of {@link bootstrapIntervals}, with one count, seed and number of resamples.
 */
export function differenceInterval(first: Interval | undefined, second: Interval | undefined): Interval | undefined {
  const [a, b] = [first && valuesOf.get(first), second && valuesOf.get(second)];
  if (a === undefined || b === undefined || a.length !== b.length) return undefined;
  return interval(a.map((value, draw) => value - b[draw]!));
}

function interval(values: readonly number[]): Interval {
  const sorted = Float64Array.from(values).sort();
  const ends: Interval = [quantile(sorted, 0.025), quantile(sorted, 0.975)];
  valuesOf.set(ends, values);
  return ends;
}
