import type { VisionTransformer } from '../../models/vit.js';
import { AdamW } from '../../optim/adamw.js';
import { decayGroups, layerwiseRate } from '../../optim/layerwise-decay.js';
import { openWarmupCosine, type Schedule, scaledRate } from '../../optim/schedule.js';
import type { ScheduledOptimizer } from '../../train/method.js';
import type { IdHead } from './id-head.js';
import type { RefinerConfig } from './refiner-config.js';

/** A run's parts: steps of the heads stage, and of both. */
export interface StagePlan {
  readonly headSteps: number;
  readonly steps: number;
}

/** How many steps the stages of a recipe have. */
export function stagePlan({ stage, stages }: Pick<RefinerConfig, 'stage' | 'stages'>): StagePlan {
  const headSteps = stage === 'refine' ? 0 : stages.heads.steps;
  return { headSteps, steps: headSteps + (stage === 'heads' ? 0 : stages.refine.steps) };
}

/** Learning rate at every step of the run, of the heads or of the encoder, which rests in the first stage. */
function stageRates(config: RefinerConfig): { readonly heads: Schedule; readonly encoder: Schedule } {
  const { headSteps } = stagePlan(config);
  const cosine = ({ lr, steps, warmupSteps }: { lr: number; steps: number; warmupSteps: number }) =>
    openWarmupCosine({ peak: scaledRate(lr, config.optim.batchSize), end: config.optim.endLr, steps, warmupSteps });
  const [first, second] = [cosine(config.stages.heads), cosine(config.stages.refine)];
  return {
    heads: (step) => (step < headSteps ? first(step) : second(step - headSteps)),
    encoder: (step) => (step < headSteps ? 0 : second(step - headSteps)),
  };
}

/** New optimisers for the parameters that require gradients. */
export function stageOptimizers(
  config: RefinerConfig,
  stage: 'heads' | 'refine',
  heads: ReadonlyMap<string, IdHead>,
  encoder: VisionTransformer,
): Record<string, ScheduledOptimizer> {
  const { betas } = config.optim;
  const rates = stageRates(config);
  const { refine } = config.stages;
  const headDecay = stage === 'heads' ? config.stages.heads.weightDecay : refine.headWeightDecay;
  const headParameters = [...heads].flatMap(([name, head]) => [...head.parameters(`${name}.`)]);
  const forHeads = { optimizer: new AdamW(decayGroups(headParameters, headDecay), { betas }), lr: rates.heads };
  if (stage === 'heads') return { heads: forHeads };
  const groups = decayGroups(encoder.parameters(), refine.weightDecay, layerwiseRate(encoder.depth, refine.layerDecay));
  return { encoder: { optimizer: new AdamW(groups, { betas }), lr: rates.encoder }, heads: forHeads };
}
