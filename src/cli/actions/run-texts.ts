import type { BestEvaluation, RunSummary } from '../../runs/list-runs.js';
import { numberText } from '../../support/number-text.js';

/** `knn top1 58.3 % at step 2000`, or `-` without evaluations. */
export function bestText(best: BestEvaluation | undefined): string {
  return best === undefined ? '-' : `${best.task} ${best.metric} ${numberText(best.value, 3)} % at step ${best.step}`;
}

/** `1200/5000`, or the steps alone where the goal is not known. */
export function stepText(run: Pick<RunSummary, 'step' | 'steps'>): string {
  return run.steps === undefined ? String(run.step) : `${run.step}/${run.steps}`;
}

/** `2026-08-24 17:05` in the time zone of this machine. */
export function timeText(iso: string | undefined): string {
  if (iso === undefined) return '-';
  const time = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}
