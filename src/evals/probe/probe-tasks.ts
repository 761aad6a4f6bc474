import { defineTask } from '../task.js';
import { probeInfos } from './probe-metrics.js';
import { attentiveOptions, linearOptions } from './probe-options.js';

const data = {
  train: { labels: 'classes', help: 'labelled images to train on' },
  test: { labels: 'classes', help: 'labelled images to judge on' },
} as const;

/** `tessera eval linear`. */
export const linear = defineTask({
  name: 'linear',
  summary: 'linear classifiers on frozen features, a whole grid at once',
  description:
    'Trains linear classifiers on the features of augmented images, every learning rate of a grid on every feature in one ' +
    'pass of the encoder a step; a tenth of the training images chooses among them. Grids: that of MIM-Refiner (52 heads: ' +
    '13 learning rates, two poolings, last block and last four) or of CAPI (30 settings for each of cls, avg_patch, ' +
    'cls_avg_patch).',
  examples: [
    '--model runs/first --train data/train --test data/test --with-floor',
    '--model weights.pth --train imagenet/train --test imagenet/val --grid capi --steps 12500 --batch 1024',
  ],
  options: linearOptions,
  data,
  metrics: probeInfos,
  async judge(context, options) {
    const { judgeProbes } = await import('./judge-probes.js');
    return judgeProbes(context, options, options.grid);
  },
});

/** `tessera eval attentive`. */
export const attentive = defineTask({
  name: 'attentive',
  summary: 'classifiers that pool the patches by attention, beside linear ones',
  description:
    'Trains classifiers on the features of augmented images: attention pooling over all patches, and linear ones on cls, ' +
    'avg_patch and cls_avg_patch, each with the 30 learning rates and weight decays of CAPI, in one pass of the encoder a ' +
    'step; a tenth of the training images chooses among them.',
  examples: [
    '--model runs/first --train data/train --test data/test --epochs 20',
    '--model weights.pth --train imagenet/train --test imagenet/val --steps 12500 --batch 1024',
  ],
  options: attentiveOptions,
  data,
  metrics: probeInfos,
  async judge(context, options) {
    const { judgeProbes } = await import('./judge-probes.js');
    return judgeProbes(context, options, 'attentive');
  },
});
