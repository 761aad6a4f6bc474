import type { HeadSpec } from './head-optimizers.js';
import type { CapiSourceName, SourceName } from './source-names.js';

/** Which heads: MIM-Refiner's, CAPI's linear ones, or all of CAPI's, with those that pool by attention. */
export type ProbeGrid = 'mim' | 'capi' | 'attentive';

/** MIM-Refiner probe_processor.py, grid `dinov2`. */
const MIM_RATES = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.3, 0.5];
/** CAPI eval_classification.py, defaults of `eval_model`. */
const CAPI_RATES = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2];
const CAPI_DECAYS = [5e-4, 1e-3, 5e-2];

/** What heads of CAPI's grids read. */
export const capiGridSources: Readonly<Record<'capi' | 'attentive', readonly CapiSourceName[]>> = {
  capi: ['cls', 'avg_patch', 'cls_avg_patch'],
  attentive: ['cls', 'avg_patch', 'cls_avg_patch', 'patch'],
};

/** The heads of one source: 13 of MIM-Refiner's grid, 30 of CAPI's. */
export function headGrid(grid: ProbeGrid, source: SourceName): HeadSpec[] {
  if (grid === 'mim') return MIM_RATES.map((lr) => ({ source, lr, weightDecay: 0 }));
  return CAPI_RATES.flatMap((lr) => CAPI_DECAYS.map((weightDecay) => ({ source, lr, weightDecay })));
}
