import type { EvaluationResult } from '../../evals/evaluate.js';
import type { MetricInfo } from '../../evals/task.js';

/** What was found of a model. */
export type ModelResult = EvaluationResult & { readonly model: string; readonly weights: 'student' | 'teacher' };

/** The model, and which of its encoders. */
export function nameOf({ model, weights }: ModelResult): string {
  return `${model}${weights === 'student' ? ' (student)' : ''}`;
}

/** A value with its interval. */
export function metricText(
  { unit }: MetricInfo,
  value: number,
  interval: readonly [number, number] | undefined,
): string {
  const text = (number: number) => number.toFixed(unit === '%' ? 1 : 2);
  const range = interval ? ` (${text(interval[0])} to ${text(interval[1])})` : '';
  return `${text(value)}${unit === '%' ? ' %' : ''}${range}`;
}
