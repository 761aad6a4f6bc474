import { healthOf } from '../../train/health-of.js';
import type { Health } from '../../train/method.js';

/** Judges a fine-tuning run. @param latest `accuracy` (0 to 1, of mixed training images), `total`, `gradientNorm` */
export function judgeFinetuning(latest: Readonly<Record<string, number>>, classes: number): Health {
  const { accuracy = 0, total = 0, gradientNorm = 0 } = latest;
  const guess = Math.log(classes);
  const problems = [
    total > 1.2 * guess && 'the loss is above that of guessing: lower optim.lr or lengthen optim.warmupEpochs',
    gradientNorm > 1000 && 'gradients are very large: lower optim.lr or lengthen optim.warmupEpochs',
  ];
  const figures = [
    `loss ${total.toFixed(2)} (guessing: ${guess.toFixed(2)})`,
    `${(100 * accuracy).toFixed(0)} % of the training images right as they are mixed`,
    `gradient norm ${gradientNorm.toPrecision(2)}`,
  ];
  return healthOf(figures, problems);
}
