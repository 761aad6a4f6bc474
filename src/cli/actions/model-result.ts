import type { EvaluationResult } from '../../evals/evaluate.js';

/** What was found of a model. */
export type ModelResult = EvaluationResult & { readonly model: string; readonly weights: 'student' | 'teacher' };

/** The model, and which of its encoders. */
export function nameOf({ model, weights }: ModelResult): string {
  return `${model}${weights === 'student' ? ' (student)' : ''}`;
}
