import type { Parameter } from '../../nn/module.js';
import { AdamW } from '../../optim/adamw.js';
import { closedWarmupCosine, openWarmupCosine, scaledRate } from '../../optim/schedule.js';
import { Sgd } from '../../optim/sgd.js';

/** A classifier as a grid names it. */
export interface HeadSpec {
  /** The feature that it reads. */
  readonly source: string;
  /** Peak learning rate for 256 images a step; it grows with the batch. */
  readonly lr: number;
  readonly weightDecay: number;
}

/** A classifier's own parameters. */
export interface HeadParameters {
  readonly spec: HeadSpec;
  readonly parameters: ReadonlyMap<string, Parameter>;
}

/** How long heads are trained. */
export interface HeadSchedule {
  readonly batchSize: number;
  readonly steps: number;
  readonly warmupSteps: number;
}

/** Updates all heads, each at its own learning rate. */
export interface HeadOptimizer {
  /** @param step counted from 0 */
  step(step: number): void;
  dispose(): void;
}

const END_LR = 1e-6;

/**
 * AdamW over heads, those with equal learning rate and weight decay in one group; biases are not decayed. Source: CAPI
 * eval_classification.py.
 */
export function adamWHeads(heads: readonly HeadParameters[], schedule: HeadSchedule): HeadOptimizer {
  const share = closedWarmupCosine(schedule);
  const groups = new Map<string, [string, Parameter][]>();
  for (const [index, { spec, parameters }] of heads.entries()) {
    for (const [name, parameter] of parameters) {
      const decay = name.toLowerCase().endsWith('bias') ? 0 : spec.weightDecay;
      const key = JSON.stringify([spec.lr, decay]);
      groups.set(key, [...(groups.get(key) ?? []), [`${index}.${name}`, parameter]]);
    }
  }
  const optimizer = new AdamW(
    [...groups].map(([key, parameters]) => {
      const [lr, weightDecay] = JSON.parse(key) as [number, number];
      return { parameters, weightDecay, lrMultiplier: scaledRate(lr, schedule.batchSize) };
    }),
    { betas: [0.9, 0.95] },
  );
  return { step: (step) => optimizer.step(share(step)), dispose: () => optimizer.dispose() };
}

/** SGD with momentum over heads, each with its own learning rate down to 1e-6. Source: MIM-Refiner probe_processor.py. */
export function sgdHeads(heads: readonly HeadParameters[], schedule: HeadSchedule): HeadOptimizer {
  const { batchSize, steps, warmupSteps } = schedule;
  const rates = new Map<number, Parameter[]>();
  for (const { spec, parameters } of heads) {
    rates.set(spec.lr, [...(rates.get(spec.lr) ?? []), ...parameters.values()]);
  }
  const optimizers = [...rates].map(([lr, parameters]) => ({
    optimizer: new Sgd(parameters, { momentum: 0.9 }),
    rate: openWarmupCosine({ peak: scaledRate(lr, batchSize), end: END_LR, steps, warmupSteps }),
  }));
  return {
    step: (step) => {
      for (const { optimizer, rate } of optimizers) optimizer.step(rate(step));
    },
    dispose: () => {
      for (const { optimizer } of optimizers) optimizer.dispose();
    },
  };
}
