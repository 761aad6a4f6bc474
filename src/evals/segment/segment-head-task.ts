import { segmentationInfos } from '../measure/metric-infos.js';
import { defineTask } from '../task.js';
import { segmentHeadOptions } from './segment-head-options.js';

/** `tessera eval segment-head`. */
export const segmentHead = defineTask({
  name: 'segment-head',
  summary: 'classes of pixels by linear heads behind a batch norm',
  description:
    'Trains 1x1 convolutions behind a batch norm on frozen patches of several blocks, with and without the class token ' +
    'beside each patch, every learning rate of a grid at once (SGD, warm-up, cosine); logits are enlarged to pixels by the ' +
    'nearest patch, ignored pixels do not count. Held-out training images choose the head and its epoch. As MIM-Refiner ' +
    'published for ADE20K, but on whole images made square, in training too: no random crops or flips, no sliding window. ' +
    'Defaults are those of ADE20K at --size 224; small encoders and few images want fewer --blocks and more --epochs.',
  examples: [
    "--model runs/first --train 'scenes://?split=train&count=512' --test 'scenes://?split=test&count=128' --with-floor",
    "--model weights.pth --size 224 --train 'segmentation:///data?images=images/train&labels=labels/train&ignore=0' --test 'segmentation:///data?images=images/val&labels=labels/val&ignore=0'",
  ],
  options: segmentHeadOptions,
  data: {
    train: { labels: 'pixels', help: 'images with labelled pixels to train on' },
    test: { labels: 'pixels', help: 'images with labelled pixels to judge on' },
  },
  metrics: segmentationInfos,
  async judge(context, options) {
    const { judgeSegmentHead } = await import('./judge-segment-head.js');
    return judgeSegmentHead(context, options);
  },
});
