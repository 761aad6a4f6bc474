import { segmentationInfos } from '../measure/metric-infos.js';
import { defineTask } from '../task.js';
import { segmentLinearOptions } from './segment-linear-options.js';

/** `tessera eval segment-linear`. */
export const segmentLinear = defineTask({
  name: 'segment-linear',
  summary: 'classes of pixels by a linear classifier of patches',
  description:
    'Classes of pixels by multinomial logistic regression of frozen patches: the target of a patch is its most frequent ' +
    'label, and all its pixels get the class that is predicted. Images are resized to squares. CAPI published ' +
    '--max-train-patches all.',
  examples: [
    "--model runs/first --train 'scenes://?split=train&count=512' --test 'scenes://?split=test&count=128'",
    "--model runs/first --train 'segmentation:///data?images=images/train&labels=labels/train' --test 'segmentation:///data?images=images/val&labels=labels/val' --c 0.05",
  ],
  options: segmentLinearOptions,
  data: {
    train: { labels: 'pixels', help: 'images with labelled pixels to fit to' },
    test: { labels: 'pixels', help: 'images with labelled pixels to judge on' },
  },
  metrics: segmentationInfos,
  async judge(context, options) {
    const { judgeSegmentLinear } = await import('./judge-segment-linear.js');
    return judgeSegmentLinear(context, options);
  },
});
