import { classificationInfos } from '../measure/metric-infos.js';
import { defineTask } from '../task.js';
import { knnOptions } from './knn-options.js';

/** `tessera eval knn`. */
export const knn = defineTask({
  name: 'knn',
  summary: 'classes of images by their nearest neighbours',
  description:
    'Classes of test images by the weighted vote of the nearest training images; a neighbour weighs ' +
    'exp(cosine / temperature). Protocols: that of MIM-Refiner, and the vote of DINO over the features that CAPI recommends ' +
    'for whole images.',
  examples: [
    '--model runs/first --train data/train --test data/test --with-floor',
    '--model weights.pth --train imagenet/train --test imagenet/val --protocol mim-refiner --k 10,1,2,3,5,20,50,100',
  ],
  options: knnOptions,
  data: {
    train: { labels: 'classes', help: 'labelled images to compare with' },
    test: { labels: 'classes', help: 'labelled images to judge on' },
  },
  metrics: classificationInfos,
  async judge(context, options) {
    const { judgeKnn } = await import('./judge-knn.js');
    return judgeKnn(context, options);
  },
});
