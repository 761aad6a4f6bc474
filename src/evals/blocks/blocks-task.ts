import { percent } from '../measure/metric-infos.js';
import { defineTask } from '../task.js';
import { blocksOptions } from './blocks-options.js';

/** `tessera eval blocks`. */
export const blocks = defineTask({
  name: 'blocks',
  summary: 'classes of images and pixels at every block, by nearest neighbours',
  description:
    'Which block knows most: classes of images by nearest neighbours (standardised features, as MIM-Refiner published), and ' +
    'classes of pixels by nearest patches, from the output of every block before the final norm, in one pass of the encoder. ' +
    'Judges what the images have labels for. In encoders that learned to fill in patches a block in the middle is best: those ' +
    'are worth refining.',
  examples: [
    '--model runs/first --train data/train --test data/test --with-floor --out results',
    "--model runs/first,runs/second --train 'scenes://?split=train&count=1024' --test 'scenes://?split=test&count=256'",
  ],
  options: blocksOptions,
  data: {
    train: { labels: 'any', help: 'images with labelled classes, labelled pixels or both to compare with' },
    test: { labels: 'any', help: 'images with the same kind of labels to judge on' },
  },
  metrics: {
    top1: percent('top-1'),
    meanPerClass: percent('mean per class'),
    miou: percent('mIoU'),
    pixelAccuracy: percent('pixel accuracy'),
    top1Last: percent('top-1 of the last block'),
    miouLast: percent('mIoU of the last block'),
  },
  async judge(context, options) {
    const { judgeBlocks } = await import('./judge-blocks.js');
    return judgeBlocks(context, options);
  },
});
