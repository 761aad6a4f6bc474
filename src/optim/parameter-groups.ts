import type { Parameter } from '../nn/module.js';
import type { AdamWGroup } from './adamw.js';

/** What differs from the base learning rate and weight decay, by parameter name. */
export interface Multipliers {
  readonly patchEmbedLr: number;
  readonly ropeLr: number;
  readonly normWeightDecay: number;
}

/**
 * Groups parameters with equal multipliers. Rules, in order: biases are not decayed; norm weights are decayed by
 * `normWeightDecay`; the patch embedding learns at `patchEmbedLr`; rotary frequencies at `ropeLr`.
 * Source: CAPI utils.py `get_params_groups`.
 */
export function parameterGroups(
  named: Iterable<readonly [string, Parameter]>,
  weightDecay: number,
  multipliers: Multipliers,
): AdamWGroup[] {
  const groups = new Map<string, AdamWGroup & { parameters: (readonly [string, Parameter])[] }>();
  for (const [name, parameter] of named) {
    let lr = 1;
    let decay = 1;
    if (name.endsWith('.bias') || name.includes('gamma')) decay = 0;
    if (name.includes('norm') && name.includes('weight')) decay = multipliers.normWeightDecay;
    if (name.includes('patch_embed')) lr *= multipliers.patchEmbedLr;
    if (name.includes('rope')) lr *= multipliers.ropeLr;
    const key = `${lr} ${decay}`;
    const group = groups.get(key) ?? { parameters: [], lrMultiplier: lr, weightDecay: weightDecay * decay };
    group.parameters.push([name, parameter]);
    groups.set(key, group);
  }
  return [...groups.values()];
}
