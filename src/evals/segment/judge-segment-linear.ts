import type { EvaluationContext, Judgement } from '../task.js';
import { judgePatches } from './judge-segment.js';
import type { SegmentLinearOptions } from './segment-linear-options.js';
import { segmentByRegression } from './segment-regression.js';

/**
 * Classes of the pixels of test images by logistic regression of patches.
 *
 * @throws as `judgePatches` and `segmentByRegression`.
 */
export function judgeSegmentLinear(context: EvaluationContext, options: SegmentLinearOptions): Promise<Judgement> {
  return judgePatches(context, options, async ({ train, test, settings }) => {
    const found = await segmentByRegression(train, test, {
      ...settings,
      strength: options.c ?? 'search',
      onFit: (done, total) => context.progress('fit', done, total, 'fits'),
    });
    const { objective, excess, iterations } = found.fit;
    const protocol = { c: found.strength, search: found.search ?? false, fit: { objective, excess, iterations } };
    return { protocol, used: found.used, candidates: found.candidates, counts: found.counts };
  });
}
