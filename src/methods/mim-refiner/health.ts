import { healthOf } from '../../train/health-of.js';
import type { Health } from '../../train/method.js';
import type { HeadSpec } from './head-list.js';

/** Above it an image is told apart from the others so surely that little is left to learn. */
const SATURATED = 0.98;

/**
 * Judges a MIM-Refiner run by what its users report: a temperature too low for the batch, a queue that still holds noise,
 * and surprise that the first stage leaves the encoder as it is.
 * @param latest `alignment.<head>` (0 to 1), `queueFilled` (0 to 1), `gradientNorm`
 */
export function judgeRefiner(
  latest: Readonly<Record<string, number>>,
  stage: 'heads' | 'refine',
  heads: readonly HeadSpec[],
): Health {
  const { gradientNorm = 0, queueFilled = 0 } = latest;
  const alignments = heads.map(({ name }) => ({ name, value: latest[`alignment.${name}`] ?? 0 }));
  const saturated = alignments.filter(({ value }) => value > SATURATED).map(({ name }) => name);
  const values = alignments.map(({ value }) => value);
  const problems = [
    saturated.length > 0 &&
      `head ${saturated.join(', ')} tells nearly all images of a batch apart: the temperature is too low for the batch; raise heads.temperature or optim.batchSize`,
    stage === 'refine' &&
      queueFilled < 1 &&
      `the queue has not turned over yet (${Math.round(100 * queueFilled)} % filled) and gives noise as neighbours: lower heads.queueSize or raise stages.heads.steps`,
    gradientNorm > 1000 && 'gradients are very large: lower stages.refine.lr or lengthen the warm-up',
  ];
  const range = (low: number, high: number) => `${low.toFixed(2)} to ${high.toFixed(2)}`;
  const figures = [
    stage === 'heads' ? 'the heads learn, the encoder does not change in this stage' : 'encoder and heads learn',
    `alignment ${range(Math.min(...values), Math.max(...values))}`,
    `queue ${Math.round(100 * queueFilled)} % filled`,
    `gradient norm ${gradientNorm.toPrecision(2)}`,
  ];
  return healthOf(figures, problems);
}
