import { metricText } from '../evals/measure/metric-text.js';
import type { Measured, ReportEvaluation, Verdict } from './report-parts.js';

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
