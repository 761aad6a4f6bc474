import type { Dataset } from '../../data/dataset.js';
import type { BlockKind } from '../../features/parts.js';
import { DataError, UsageError } from '../../support/errors.js';
import { judgeKnn } from '../knn/judge-knn.js';
import { knnOptions } from '../knn/knn-options.js';
import { hasClassToken } from '../measure/has-class-token.js';
import { pooledKind } from '../measure/pooling-options.js';
import { judgeSegmentKnn } from '../segment/judge-segment-knn.js';
import { segmentKnnOptions } from '../segment/segment-knn-options.js';
import { type Curve, curveOf, type EvaluationContext, type Judgement } from '../task.js';
import { blockContext } from './block-context.js';
import type { BlocksOptions } from './blocks-options.js';

/**
 * Judges every block by what the data sets have labels for. The metrics are those of the best block by top-1 or mIoU, and of
 * the last one; the curve has all. Source: MIM-Refiner's analysis of k-NN accuracy by block (reference section 5.9).
 *
 * @throws {UsageError} the encoder lacks a block. @throws {DataError} the data sets have different kinds of labels.
 */
export async function judgeBlocks(context: EvaluationContext, options: BlocksOptions): Promise<Judgement> {
  const blocks = blocksOf(context.encoder.depth, options.blocks);
  const judges = judgesOf(context, options, blocks);
  const found: Judgement[] = [];
  for (const [done, block] of blocks.entries()) {
    const parts: Judgement[] = [];
    for (const { judge } of judges) parts.push(await judge(block));
    found.push(joined(parts));
    context.progress('blocks', done + 1, blocks.length, 'blocks');
  }
  const curve = curveOf('block', blocks, found);
  return {
    ...summary(
      curve,
      judges.map(({ metric }) => metric),
      found[0]!.protocol,
    ),
    counts: found[0]!.counts,
    curve,
  };
}

/** A way to judge a block, and the metric to compare by. */
interface BlockJudge {
  readonly metric: 'top1' | 'miou';
  judge(block: number): Promise<Judgement>;
}

/** By classes, pixels or both, as far as the data sets have labels. */
function judgesOf(context: EvaluationContext, options: BlocksOptions, blocks: readonly number[]): BlockJudge[] {
  const { data } = context;
  const has = (of: (set: Dataset) => unknown) => [data.train, data.test].every((set) => of(set) !== undefined);
  const [classes, pixels] = [has((set) => set.classes), has((set) => set.item(0).pixels)];
  if (!classes && !pixels) {
    throw new DataError('Expected class labels in both data sets, or pixel labels in both; each has another kind.');
  }
  const { k, temperature, segmentK, maxTrainPatches } = options;
  const { pooling = classes && hasClassToken(context) ? 'class' : 'patches' } = options;
  const { view = pixels ? 'resize' : 'resize-centre-crop' } = options;
  const knn = knnOptions.parse({ protocol: 'mim-refiner', layers: 'output', pooling, view, k: [k], temperature });
  const segment = segmentKnnOptions.parse({ k: segmentK, maxTrainPatches });
  const pooled = pooledKind(pooling) as BlockKind;
  // With one view, one pass serves both.
  const both = classes && pixels && view === 'resize';
  const at = (block: number, kinds: readonly BlockKind[], withPixels: boolean) =>
    blockContext(
      context,
      { blocks, ...(both ? { kinds: [pooled, 'patches'], pixels } : { kinds, pixels: withPixels }) },
      block,
    );
  const byClass: BlockJudge = { metric: 'top1', judge: (block) => judgeKnn(at(block, [pooled], false), knn) };
  const byPixel: BlockJudge = {
    metric: 'miou',
    judge: (block) => judgeSegmentKnn(at(block, ['patches'], true), segment),
  };
  return [...(classes ? [byClass] : []), ...(pixels ? [byPixel] : [])];
}

function blocksOf(depth: number, asked: readonly number[] | undefined): number[] {
  const all = Array.from({ length: depth }, (_, block) => block);
  const wrong = (asked ?? []).filter((block) => block >= depth);
  if (depth > 0 && wrong.length === 0) return asked ? [...new Set(asked)].sort((a, b) => a - b) : all;
  throw new UsageError(
    depth === 0
      ? 'Expected an encoder with blocks, this one has none.'
      : `Expected blocks from 0 to ${depth - 1}, received ${wrong.join(', ')}.`,
  );
}

/** Where both say something, such as the number of neighbours, the first counts. */
function joined(parts: readonly Judgement[]): Judgement {
  const merge = (key: 'metrics' | 'intervals' | 'protocol' | 'counts') =>
    Object.assign({}, ...parts.map((part) => part[key]).reverse());
  return {
    metrics: merge('metrics'),
    intervals: merge('intervals'),
    protocol: merge('protocol'),
    counts: merge('counts'),
  };
}

/** What goes with a metric at the block that is best by it. */
const beside = { top1: ['top1', 'meanPerClass'], miou: ['miou', 'pixelAccuracy'] } as const;

function summary(
  curve: Curve,
  by: readonly BlockJudge['metric'][],
  protocol: Judgement['protocol'],
): Pick<Judgement, 'metrics' | 'intervals' | 'protocol'> {
  const last = curve.at.length - 1;
  const picked = by.flatMap((metric) => {
    const values = curve.metrics[metric]!;
    const best = values.indexOf(Math.max(...values));
    return [
      ...beside[metric].map((name) => ({ name, from: name, place: best })),
      { name: `${metric}Last`, from: metric, place: last },
    ];
  });
  const best = picked.filter(({ name }) => by.some((metric) => metric === name));
  return {
    metrics: Object.fromEntries(picked.map(({ name, from, place }) => [name, curve.metrics[from]![place]!])),
    intervals: Object.fromEntries(picked.map(({ name, from, place }) => [name, curve.intervals[from]![place]!])),
    protocol: {
      ...protocol,
      layers: 'blocks',
      best: Object.fromEntries(best.map(({ name, place }) => [name, curve.at[place]!])),
    },
  };
}
