import { percent } from '../measure/metric-infos.js';
import { defineTask, type MetricInfo } from '../task.js';
import { lowshotOptions } from './lowshot-options.js';

function spread(name: string): MetricInfo {
  return { name: `${name}, spread over splits`, unit: '%', better: 'lower' };
}

/** `tessera eval lowshot`. */
export const lowshot = defineTask({
  name: 'lowshot',
  summary: 'a linear classifier of very few labelled images',
  description:
    'Classes of test images by multinomial logistic regression on 1, 2 or 5 training images of each class, or on 1 % or ' +
    '10 % of them: top-1, mean and standard deviation over random choices of these images. MIM-Refiner published ' +
    '--budgets 1,2,5 --pooling global.',
  examples: [
    '--model runs/first --train data/train --test data/test --with-floor',
    '--model runs/first --train data/train --test data/test --budgets 1,5 --splits 10',
  ],
  options: lowshotOptions,
  data: {
    train: { labels: 'classes', help: 'labelled images to choose from' },
    test: { labels: 'classes', help: 'labelled images to judge on' },
  },
  metrics: {
    shots1: percent('top-1, 1 image a class'),
    shots2: percent('top-1, 2 images a class'),
    shots5: percent('top-1, 5 images a class'),
    percent1: percent('top-1, 1 % of images'),
    percent10: percent('top-1, 10 % of images'),
    shots1Spread: spread('1 image a class'),
    shots2Spread: spread('2 images a class'),
    shots5Spread: spread('5 images a class'),
    percent1Spread: spread('1 % of images'),
    percent10Spread: spread('10 % of images'),
  },
  async judge(context, options) {
    const { judgeLowshot } = await import('./judge-lowshot.js');
    return judgeLowshot(context, options);
  },
});
