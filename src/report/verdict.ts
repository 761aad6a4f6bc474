import { metricText } from '../evals/measure/metric-text.js';
import type { EventOf } from '../runs/run-events.js';
import type { Measured, ReportEvaluation, Verdict } from './report-parts.js';

/** Names of the metrics that `--watch` logs: mean accuracy of a class in percent, by block. */
const watchedBlock = /^knnBlock\.(.*-)?(\d+)$/;

type Comparison = 'better' | 'worse' | 'unclear';

/**
 * Says in words whether training has led anywhere: the trained encoder against the untrained one and, where measured,
 * against colour and position, evaluation by evaluation. Only intervals that do not overlap count as a difference.
 */
export function verdictOf(evaluations: readonly ReportEvaluation[]): Verdict {
  const compared = evaluations.filter(({ untrained }) => untrained !== undefined);
  if (compared.length === 0) {
    return { tone: 'unclear', headline: 'Not yet compared with an untrained encoder.', sentences: [] };
  }
  const against = compared.map((evaluation) => compare(evaluation.trained, evaluation.untrained!));
  const simple = evaluations.flatMap(({ trained, colourAndPosition }) =>
    colourAndPosition === undefined ? [] : [compare(trained, colourAndPosition)],
  );
  const sentences = evaluations.map(sentenceOf);
  const better = against.filter((result) => result === 'better').length;
  const all = compared.length;
  if (against.includes('worse')) {
    return { tone: 'bad', headline: 'Training made the encoder worse.', sentences };
  }
  if (better < all) {
    const headline =
      better === 0
        ? 'No clear difference from an untrained encoder yet.'
        : `Clearly better than an untrained encoder in ${better} of ${all} evaluations.`;
    return { tone: 'unclear', headline, sentences };
  }
  if (simple.some((result) => result !== 'better')) {
    const headline = 'The encoder has learned, but not in every evaluation more than colour and position tell.';
    return { tone: 'unclear', headline, sentences };
  }
  const extra = simple.length > 0 ? ', and more than colour and position tell' : '';
  return { tone: 'good', headline: `The encoder has learned: clearly better than untrained${extra}.`, sentences };
}

/**
 * What refining did to the images that were watched: the last block's nearest neighbours before and after.
 *
 * @param metrics of the run, in the order of its steps
 * @returns undefined where fewer than two steps were watched
 */
export function watchedVerdict(metrics: readonly Pick<EventOf<'metrics'>, 'step' | 'values'>[]): Verdict | undefined {
  const block = (name: string) => Number(watchedBlock.exec(name)?.[2] ?? Number.NaN);
  const watched = metrics.filter(({ values }) => Object.keys(values).some((name) => watchedBlock.test(name)));
  const [first, last] = [watched[0], watched.at(-1)];
  if (first === undefined || last === undefined || first.step === last.step) return undefined;
  const changes = Object.keys(last.values)
    .filter((name) => first.values[name] !== undefined && watchedBlock.test(name))
    .sort((a, b) => block(b) - block(a))
    .map((name) => ({ name, before: first.values[name]!, after: last.values[name]! }));
  const [deepest] = changes;
  if (deepest === undefined) return undefined;
  const better = deepest.after > deepest.before;
  const best = changes.reduce((a, b) => (b.before > a.before ? b : a));
  const text = ({ name, before, after }: typeof deepest) =>
    `${name.replace('knnBlock.', 'Block ')}: ${before.toFixed(1)} % before, ${after.toFixed(1)} % at step ${last.step}.`;
  return {
    tone: 'unclear',
    headline: `Refining ${better ? 'raised' : 'did not raise'} the nearest neighbours of the watched images.`,
    sentences: [
      `${text(deepest)} Mean accuracy of a class, each image judged by the others.`,
      ...(best === deepest ? [] : [`The best block before: ${text(best)}`]),
      'A sample without an interval: tessera eval knn compares it with the encoder that it began with.',
    ],
  };
}

function measuredText({ value, interval }: Measured): string {
  return metricText({ unit: '%' }, value, interval);
}

/** Without intervals a difference is nothing to rely on. */
export function compare(a: Measured, b: Measured): Comparison {
  if (a.interval === undefined || b.interval === undefined) return 'unclear';
  if (a.interval[0] > b.interval[1]) return 'better';
  return a.interval[1] < b.interval[0] ? 'worse' : 'unclear';
}

function sentenceOf({ name, metric, trained, untrained, colourAndPosition }: ReportEvaluation): string {
  const against = [
    untrained && `untrained ${measuredText(untrained)}, ${differenceText(trained, untrained)}`,
    colourAndPosition && `${differenceText(trained, colourAndPosition)} than colour and position`,
  ].filter((text) => text !== undefined);
  return `${[`${name}: ${metric} ${measuredText(trained)}`, ...against].join('; ')}.`;
}

function differenceText(a: Measured, b: Measured): string {
  const points = a.value - b.value;
  const text = `${Math.abs(points).toFixed(1)} points ${points < 0 ? 'worse' : 'better'}`;
  return compare(a, b) === 'unclear' ? `${text} (may be chance)` : text;
}
