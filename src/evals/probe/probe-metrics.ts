import { classificationInfos, percent } from '../measure/metric-infos.js';
import type { MetricInfo } from '../task.js';
import { capiSourceNames, mimSourceNames, type SourceName } from './source-names.js';

/** The name of a source's metric: accuracy of its best head. */
export const sourceMetric = (source: SourceName) => `top1_${source}` as const;

/** What probes find: of the best head of all, then top-1 of the best head of each source. */
export const probeInfos: Readonly<Record<string, MetricInfo>> = {
  ...classificationInfos,
  ...Object.fromEntries(
    [...mimSourceNames, ...capiSourceNames].map((source) => [sourceMetric(source), percent(`top-1 ${source}`)]),
  ),
};
