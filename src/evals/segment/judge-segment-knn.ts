import type { EvaluationContext, Judgement } from '../task.js';
import { judgePatches } from './judge-segment.js';
import { segmentByNeighbours } from './segment-knn.js';
import type { SegmentKnnOptions } from './segment-knn-options.js';

/**
 * Classes of the pixels of test images by the nearest training patches.
 *
 * @throws as `judgePatches` and `segmentByNeighbours`.
 */
export function judgeSegmentKnn(context: EvaluationContext, options: SegmentKnnOptions): Promise<Judgement> {
  const { k = 20, distance = 'cosine', search } = options;
  return judgePatches(context, options, ({ train, test, settings }) => {
    const choice = search ? 'search' : { k, distance };
    const found = segmentByNeighbours(train, test, { ...settings, choice, device: context.device });
    const protocol = { ...found.choice, search: found.search ?? false };
    return { protocol, used: found.voters, candidates: found.candidates, counts: found.counts };
  });
}
