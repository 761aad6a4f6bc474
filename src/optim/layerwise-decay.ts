import type { Parameter } from '../nn/module.js';
import { invariant } from '../support/errors.js';
import type { AdamWGroup } from './adamw.js';

/** Tensors before the first block, by the beginning of their names. */
const STEM = /^(patch_embed|class_token|registers|positions|patch_norm|embed_norm)(\.|$)/;
/** Tokens are not decayed, as biases and other vectors are not. */
const TOKENS = /^(class_token|registers|positions)(\.|$)/;

/**
 * Learning rates that shrink from the last block of a vision transformer to the first: `decay` to the power of
 * `depth - b` for block b (the last one has one factor already), `depth + 1` for what comes before the blocks, 1 for the
 * final norm.
 * @returns the multiplier of a parameter by its name in a `VisionTransformer`
 * Source: MIM-Refiner optimizers/param_group_modifiers/layerwise_lr_decay_modifier.py, after BEiT.
 */
export function layerwiseRate(depth: number, decay: number): (name: string) => number {
  return (name) => {
    if (STEM.test(name)) return decay ** (depth + 1);
    const block = /^blocks\.(\d+)\./.exec(name)?.[1];
    if (block !== undefined) return decay ** (depth - Number(block));
    invariant(/^norm\./.test(name), `no rule for the learning rate of ${name}`);
    return 1;
  };
}

/**
 * Groups parameters that require gradients by learning rate and weight decay: biases, vectors and tokens are not decayed.
 * Source: MIM-Refiner optimizers/optimizer_wrapper.py.
 */
export function decayGroups(
  named: Iterable<readonly [string, Parameter]>,
  weightDecay: number,
  rateOf: (name: string) => number = () => 1,
): AdamWGroup[] {
  const groups = new Map<string, AdamWGroup & { parameters: (readonly [string, Parameter])[] }>();
  for (const [name, parameter] of named) {
    if (!parameter.requiresGrad) continue;
    const decayed = parameter.shape.length > 1 && !TOKENS.test(name);
    const lrMultiplier = rateOf(name);
    const key = `${lrMultiplier} ${decayed}`;
    const group = groups.get(key) ?? { parameters: [], lrMultiplier, weightDecay: decayed ? weightDecay : 0 };
    group.parameters.push([name, parameter]);
    groups.set(key, group);
  }
  return [...groups.values()];
}
