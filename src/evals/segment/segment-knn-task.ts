import { segmentationInfos } from '../measure/metric-infos.js';
import { defineTask } from '../task.js';
import { segmentKnnOptions } from './segment-knn-options.js';

/** `tessera eval segment-knn`. */
export const segmentKnn = defineTask({
  name: 'segment-knn',
  summary: 'classes of pixels by the nearest patches',
  description:
    'Classes of pixels: each of the nearest training patches brings its label patch, and every pixel gets the most ' +
    'frequent label. Images are resized to squares. CAPI published --search --scaler StandardScaler --max-train-patches all.',
  examples: [
    "--model runs/first --train 'scenes://?split=train&count=512' --test 'scenes://?split=test&count=128'",
    "--model runs/first --train 'segmentation:///data?images=images/train&labels=labels/train' --test 'segmentation:///data?images=images/val&labels=labels/val' --search --scaler StandardScaler",
  ],
  options: segmentKnnOptions,
  data: {
    train: { labels: 'pixels', help: 'images with labelled pixels to compare with' },
    test: { labels: 'pixels', help: 'images with labelled pixels to judge on' },
  },
  metrics: segmentationInfos,
  async judge(context, options) {
    const { judgeSegmentKnn } = await import('./judge-segment-knn.js');
    return judgeSegmentKnn(context, options);
  },
});
