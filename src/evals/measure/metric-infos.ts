import type { MetricInfo } from '../task.js';

/** A share in percent, of which more is better. */
export function percent(name: string): MetricInfo {
  return { name, unit: '%', better: 'higher' };
}

/** What `classificationMetrics` gives. */
export const classificationInfos = { top1: percent('top-1'), meanPerClass: percent('mean per class') };

/** What `segmentationMetrics` gives. */
export const segmentationInfos = { miou: percent('mIoU'), pixelAccuracy: percent('pixel accuracy') };
