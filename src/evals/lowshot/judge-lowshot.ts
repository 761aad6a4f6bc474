import { scope } from '../../tensor/tensor.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { classificationMetrics } from '../measure/classification-metrics.js';
import { imageCounts } from '../measure/image-counts.js';
import { matchClasses } from '../measure/match-classes.js';
import { pooledRequest, pooledRows } from '../measure/pooled-rows.js';
import { pickRows } from '../measure/row-chunks.js';
import type { EvaluationContext, Judgement } from '../task.js';
import { chooseImages } from './choose-images.js';
import { fitFewShots, predictLabels } from './lowshot.js';
import { type Budget, budgetMetric, type LowshotOptions } from './lowshot-options.js';

/** What one choice of training images led to. */
interface Split {
  readonly budget: Budget;
  readonly split: number;
  readonly trainImages: number;
  readonly predicted: Int32Array;
  readonly top1: number;
  readonly meanPerClass: number;
  readonly excess: number;
  readonly iterations: number;
}

/**
 * Classes of test images by logistic regression on few training images.
 *
 * @throws {DataError} a test image has a class that the training images lack. @throws {UsageError} there is only one class.
 */
export async function judgeLowshot(context: EvaluationContext, options: LowshotOptions): Promise<Judgement> {
  const { data, seed, resamples } = context;
  const request = pooledRequest(context.encoder, options);
  const train = await context.features('train', request);
  const test = await context.features('test', request);
  const [trainClasses, testClasses] = [data.train.classes!, data.test.classes!];
  const labels = matchClasses(test.labels, testClasses, trainClasses);
  const runs = options.budgets.flatMap((budget) =>
    Array.from({ length: options.splits }, (_, split) => ({ budget, split })),
  );
  const splits: Split[] = [];
  using train_ND = scope(() => pickRows({ all_ND: pooledRows(train, options) }));
  using test_ND = scope(() => pickRows({ all_ND: pooledRows(test, options) }));
  for (const { budget, split } of runs) {
    const images = chooseImages(train.labels, budget, seed, split);
    const found = scope(() => {
      const rows = pickRows({ all_ND: train_ND, indices: images });
      const targets = images.map((image) => train.labels[image]!);
      const fitted = fitFewShots(rows, targets, options.c);
      return { predicted: predictLabels(fitted, test_ND), ...fitted.fit };
    });
    const { predicted, excess, iterations } = found;
    const scores = classificationMetrics(predicted, labels, trainClasses.length);
    splits.push({ budget, split, trainImages: images.length, predicted, ...scores, excess, iterations });
    context.progress('fit', splits.length, runs.length, 'fits');
    // Timers and signals have their turn.
    await new Promise(setImmediate);
  }
  const means = (weights?: Uint32Array) =>
    byBudget(options.budgets, splits, (of) =>
      mean(of.map(({ predicted }) => classificationMetrics(predicted, labels, trainClasses.length, weights).top1)),
    );
  const spreads = byBudget(options.budgets, splits, (of) => deviation(of.map(({ top1 }) => top1)));
  return {
    metrics: { ...means(), ...Object.fromEntries(Object.entries(spreads).map(([name, s]) => [`${name}Spread`, s])) },
    intervals: bootstrapIntervals(test.count, means, { seed, resamples }),
    protocol: { penalty: 'L2', intercept: false, trainRows: 'less their own mean, normalised', spread: 'deviation' },
    counts: { ...imageCounts(train, test), classes: trainClasses.length },
    details: { splits: splits.map(({ predicted: _, ...rest }) => rest) },
  };
}

function byBudget(
  budgets: readonly Budget[],
  splits: readonly Split[],
  value: (of: readonly Split[]) => number,
): Record<string, number> {
  return Object.fromEntries(
    budgets.map((budget) => [budgetMetric[budget], value(splits.filter((split) => split.budget === budget))]),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard deviation with n - 1; 0 of a single value. */
function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - centre) ** 2, 0) / Math.max(1, values.length - 1));
}
