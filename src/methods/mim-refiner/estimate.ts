import type { VitOptions } from '../../models/vit-options.js';
import type { CostEstimate } from '../../train/cost-estimate.js';
import { keptHeads, listHeads } from './head-list.js';
import type { RefinerConfig } from './refiner-config.js';
import { stagePlan } from './refiner-optimizers.js';
import { GLOBAL_VIEWS } from './refiner-views.js';
import { tapKey } from './tap-features.js';

/**
 * What a MIM-Refiner run will cost: floating-point operations of its matrix products, two for each multiply-add, and the
 * memory of weights, gradients, moments, queues and what the backward pass keeps.
 */
export function estimateRefiner(config: RefinerConfig, encoder: VitOptions): CostEstimate {
  const { headSteps, steps } = stagePlan(config);
  const { batchSize } = config.optim;
  const tokens = viewTokens(config, encoder);
  const perView = tokens.map(({ views, count }) => views * encoderForward(encoder, count));
  const forward = perView.reduce((sum, flops) => sum + flops, 0);
  const { freezeBlocks } = config.stages.refine;
  const trained = 1 - freezeBlocks / encoder.depth;
  const rows = GLOBAL_VIEWS + config.data.localViews;
  const [all, kept] = [listHeads(config).length, keptHeads(config).length];
  const headFlops = 3 * rows * headForward(config, encoder) + lookups(config);
  const headsStage = forward + all * headFlops;
  const refineStage = forward * (1 + 2 * trained) + kept * headFlops;
  const total = batchSize * (headSteps * headsStage + (steps - headSteps) * refineStage);
  const parameters = { encoder: encoderParameters(encoder), heads: all * headParameters(config, encoder) };
  return {
    parameters,
    stages: [
      ...(headSteps > 0 ? [{ name: 'heads', steps: headSteps, flopsPerImage: headsStage }] : []),
      ...(steps > headSteps ? [{ name: 'refine', steps: steps - headSteps, flopsPerImage: refineStage }] : []),
    ],
    flops: total,
    memoryBytes: memory(config, encoder, parameters, steps > headSteps ? trained : 0),
  };
}

/** Tokens of an image's views. */
function viewTokens({ data }: RefinerConfig, { patchSize, classToken, registers = 0 }: VitOptions) {
  const count = (size: number) => (size / patchSize) ** 2 + registers + (classToken ? 1 : 0);
  return [
    { views: GLOBAL_VIEWS, count: count(data.imageSize) },
    { views: data.localViews, count: data.localViews > 0 ? count(data.localSize) : 0 },
  ];
}

/** One image's forward pass through the encoder. */
function encoderForward(encoder: VitOptions, tokens: number): number {
  const { width, depth, patchSize, classToken, registers = 0 } = encoder;
  const patches = tokens - registers - (classToken ? 1 : 0);
  const block = 2 * tokens * (4 * width ** 2 + mlpWeights(encoder)) + 4 * tokens ** 2 * width;
  return depth * block + 2 * patches * width * 3 * patchSize ** 2;
}

function mlpWeights({ width, mlpWidth = 4 * width, activation }: VitOptions): number {
  return (activation === 'swiglu' ? 3 : 2) * width * mlpWidth;
}

function encoderParameters(encoder: VitOptions): number {
  const { width, depth, patchSize } = encoder;
  // Norms and biases are a thousandth of it.
  return depth * (4 * width ** 2 + mlpWeights(encoder)) + 3 * patchSize ** 2 * width;
}

function headParameters({ heads }: RefinerConfig, { width }: VitOptions): number {
  const { projectorWidth: inner, predictorWidth, outputWidth } = heads;
  return width * inner + inner ** 2 + inner * outputWidth + 2 * outputWidth * predictorWidth;
}

/** One view's forward pass through a head. */
const headForward = (config: RefinerConfig, encoder: VitOptions) => 2 * headParameters(config, encoder);

/** Of one image and head: its neighbours in the queue, and its comparisons with the batch, forward and backward. */
function lookups({ heads, data, optim }: RefinerConfig): number {
  const views = GLOBAL_VIEWS + data.localViews;
  return 2 * GLOBAL_VIEWS * heads.outputWidth * (heads.queueSize + 3 * views * optim.batchSize);
}

/** Bytes of weights and of what a step keeps, at its largest. @param trained share of the blocks that learn */
function memory(
  config: RefinerConfig,
  encoder: VitOptions,
  parameters: CostEstimate['parameters'],
  trained: number,
): number {
  const { heads, optim, data } = config;
  const queues = listHeads(config).length * heads.queueSize * heads.outputWidth;
  // Weight, average, and momentum encoder; gradient and two moments of what learns.
  const encoderCopies = 2 + (heads.momentum === undefined ? 0 : 1) + 3 * trained;
  const headCopies = 4 + (heads.momentum === undefined ? 0 : 0.5);
  const state = parameters.encoder! * encoderCopies + parameters.heads! * headCopies + queues;
  const tokens = viewTokens(config, encoder).reduce((sum, { views, count }) => sum + views * count, 0);
  const { width, depth, mlpWidth = 4 * width, positions } = encoder;
  // Inputs and outputs of norms, queries, keys, values, what attention gives, both sides of the activation; rotary
  // positions keep queries and keys in three forms.
  const channels = 8 * width + 2 * mlpWidth + (positions.kind === 'rope' ? 4 * width : 0);
  // Without gradients one block's values are alive at a time.
  const keptBlocks = Math.max(1, depth * trained);
  const views = GLOBAL_VIEWS + data.localViews;
  const headChannels = 3 * (2 * heads.projectorWidth + heads.predictorWidth) + 4 * heads.outputWidth;
  const taps = new Set(listHeads(config).map(tapKey)).size;
  const activations =
    optim.batchSize *
    (tokens * channels * keptBlocks +
      listHeads(config).length * (views * headChannels + 3 * GLOBAL_VIEWS * views * optim.batchSize) +
      views * taps * width);
  return (optim.precision === 'float64' ? 8 : 4) * (state + activations);
}
