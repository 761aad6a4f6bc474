import { classificationInfos } from '../measure/metric-infos.js';
import { defineTask } from '../task.js';
import { knnOptions } from './knn-options.js';

/** `tessera eval knn`. */
export const knn = defineTask({
  name: 'knn',
  summary: 'classes of images by their nearest neighbours',
  description:
    'Classes of test images by the weighted vote of the nearest training images, by cosine; a neighbour weighs ' +
    'exp(cosine / temperature). MIM-Refiner published --standardise --pooling global --k 10 --temperature 0.07.',
  examples: ['--model runs/first --train data/train --test data/test --with-floor'],
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
