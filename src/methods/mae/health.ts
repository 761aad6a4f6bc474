import { healthOf } from '../../train/health-of.js';
import type { Health } from '../../train/method.js';

/**
 * Judges a MAE run. Every masked patch has variance 1, so an error of 1 is what its mean alone gives.
 * @param latest `reconstruction`, `featureSpread` (0 to 1), `gradientNorm`
 * @param warm whether the learning rate has reached its peak
 */
export function judgeMae(latest: Readonly<Record<string, number>>, warm: boolean): Health {
  const { reconstruction = 0, featureSpread = 0, gradientNorm = 0 } = latest;
  const problems = [
    warm &&
      reconstruction > 0.98 &&
      'masked patches are predicted no better than by their mean: raise optim.lr, or train for longer',
    featureSpread < 0.05 && 'features are almost the same everywhere: the encoder is collapsing',
    gradientNorm > 100 && 'gradients are very large: lower optim.lr or lengthen the warm-up',
  ];
  const figures = [
    `reconstruction error ${reconstruction.toFixed(3)} of 1`,
    `feature spread ${featureSpread.toFixed(2)}`,
    `gradient norm ${gradientNorm.toPrecision(2)}`,
  ];
  return healthOf(figures, problems);
}
