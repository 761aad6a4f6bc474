import { ConfigError } from '../support/errors.js';

/** A value for every step of a run. */
export type Schedule = (step: number) => number;

/** The learning rate of a batch from that of 256 images: it grows in proportion. */
export function scaledRate(lr: number, batchSize: number): number {
  return (lr * batchSize) / 256;
}

export interface WarmupCosineOptions {
  /** Value before warm-up; default 0. */
  readonly start?: number;
  /** Value at the end of warm-up. */
  readonly base: number;
  /** Value that the cosine approaches. */
  readonly final: number;
  readonly steps: number;
  readonly warmupSteps: number;
  /** Leading steps at zero; default 0. */
  readonly freezeSteps?: number;
  /** Share of the half cosine that is walked, in (0, 1]; below 1 the run ends before `final`. */
  readonly truncate: number;
}

/**
 * Linear warm-up with both ends included (so `base` is hit twice), then a cosine that may be cut short; `final` after the
 * last step. Source: CAPI utils.py `WarmupThenCosine`.
 * @throws {ConfigError} warm-up and freeze are longer than the run.
 */
export function warmupCosine(options: WarmupCosineOptions): Schedule {
  const { start = 0, base, final, steps, warmupSteps, freezeSteps = 0, truncate } = options;
  const length = steps - warmupSteps - freezeSteps;
  if (length < 0) {
    throw new ConfigError(`Expected warm-up (${warmupSteps}) and freeze (${freezeSteps}) within ${steps} steps.`, {
      hint: 'Lower optim.warmupSteps or raise optim.steps.',
    });
  }
  return (step) => {
    if (step >= steps) return final;
    if (step < freezeSteps) return 0;
    const warm = step - freezeSteps;
    if (warm < warmupSteps) return warmupSteps === 1 ? start : start + ((base - start) * warm) / (warmupSteps - 1);
    const turn = (Math.PI * truncate * (warm - warmupSteps)) / length;
    return final + 0.5 * (base - final) * (1 + Math.cos(turn));
  };
}

/**
 * Linear warm-up with both ends excluded (never 0, never `peak`), then a cosine from `peak` that approaches `end`.
 * Source: MIM-Refiner zztemplates/schedules/wupcos_epoch.yaml with kappaschedules.
 */
export function openWarmupCosine(options: {
  readonly peak: number;
  readonly end: number;
  readonly steps: number;
  readonly warmupSteps: number;
}): Schedule {
  const { peak, end, steps, warmupSteps } = options;
  return (step) => {
    if (step < warmupSteps) return (peak * (step + 1)) / (warmupSteps + 1);
    const turn = (Math.PI * (step - warmupSteps)) / (steps - warmupSteps);
    return end + (peak - end) * 0.5 * (1 + Math.cos(turn));
  };
}

/**
 * A share of the learning rate: linear warm-up from 0 to 1, then a cosine from 1 to 0, both ends of both included.
 * Source: CAPI eval_classification.py, `lr_schedule`.
 */
export function closedWarmupCosine({
  steps,
  warmupSteps,
}: {
  readonly steps: number;
  readonly warmupSteps: number;
}): Schedule {
  const share = (step: number, length: number) => (length === 1 ? 0 : step / (length - 1));
  return (step) =>
    step < warmupSteps
      ? share(step, warmupSteps)
      : (1 + Math.cos(Math.PI * share(step - warmupSteps, steps - warmupSteps))) / 2;
}
