import { healthOf } from '../../train/health-of.js';
import type { Health } from '../../train/method.js';

/**
 * Judges a CAPI run by what goes wrong in practice: targets that say nothing or that are hard labels, prototypes nobody
 * uses, features that have collapsed, gradients that explode.
 * @param latest `targetEntropy` (nats), `prototypesInUse`, `featureSpread` (0 to 1), `gradientNorm`
 */
export function judgeHealth(latest: Readonly<Record<string, number>>, prototypes: number): Health {
  const { targetEntropy, prototypesInUse = 0, featureSpread = 0, gradientNorm = 0 } = latest;
  const uniform = Math.log(prototypes);
  // Where features themselves are the targets there are no clusters.
  const clusters = targetEntropy !== undefined && [
    {
      text: `target entropy ${targetEntropy.toFixed(2)} of at most ${uniform.toFixed(2)}`,
      problem:
        targetEntropy > 0.9 * uniform
          ? 'targets say almost nothing: lower capi.targetTemperature'
          : targetEntropy < 0.02 && 'targets are hard labels: raise capi.targetTemperature or the batch size',
    },
    {
      text: `${Math.round(prototypesInUse)} of ${prototypes} prototypes in use`,
      problem:
        prototypesInUse < Math.min(16, 0.05 * prototypes) && 'few prototypes are used: the clustering is collapsing',
    },
  ];
  const checks = [
    ...(clusters || []),
    {
      text: `feature spread ${featureSpread.toFixed(2)}`,
      problem: featureSpread < 0.05 && 'features are almost the same everywhere: the encoder is collapsing',
    },
    {
      text: `gradient norm ${gradientNorm.toPrecision(2)}`,
      problem: gradientNorm > 100 && 'gradients are very large: lower optim.lr or lengthen the warm-up',
    },
  ];
  return healthOf(
    checks.map(({ text }) => text),
    checks.map(({ problem }) => problem),
  );
}
