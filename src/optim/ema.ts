import type { Module } from '../nn/module.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad } from '../tensor/tensor.js';

/** Makes `average` equal to `source`. Both have the same parameters and buffers in the same order. */
export function copyParameters(average: Module, source: Module): void {
  noGrad(() => ops.foreachCopy_([...average.state().values()], [...source.state().values()]));
}

/**
 * Exponential moving average of all parameters, in place: average ← momentum·average + (1 - momentum)·source.
 * @param buffers `copied` (default), or `kept`: batch norm then keeps statistics of what the average itself saw
 * Source: CAPI train_capi.py, the momentum update; MIM-Refiner utils/model_utils.py `update_ema`.
 */
export function updateAverage(
  average: Module,
  source: Module,
  momentum: number,
  buffers: 'copied' | 'kept' = 'copied',
): void {
  noGrad(() => {
    ops.foreachLerp_(list(average), list(source), 1 - momentum);
    const own = bufferList(average);
    if (buffers === 'copied' && own.length > 0) ops.foreachCopy_(own, bufferList(source));
  });
}

const list = (module: Module) => [...module.parameters()].map(([, parameter]) => parameter);
const bufferList = (module: Module) => [...module.buffers()].map(([, buffer]) => buffer);
