import type { Module } from '../nn/module.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad } from '../tensor/tensor.js';

/** Makes `average` equal to `source`. Both have the same parameters and buffers in the same order. */
export function copyParameters(average: Module, source: Module): void {
  noGrad(() => ops.foreachCopy_([...average.state().values()], [...source.state().values()]));
}

/**
 * Exponential moving average of all parameters, in place: average ← momentum·average + (1 - momentum)·source; buffers are
 * copied. Source: CAPI train_capi.py, the momentum update.
 */
export function updateAverage(average: Module, source: Module, momentum: number): void {
  noGrad(() => {
    const averages = list(average);
    ops.foreachMul_(averages, momentum);
    ops.foreachAdd_(averages, list(source), 1 - momentum);
    const buffers = [...average.buffers()].map(([, buffer]) => buffer);
    if (buffers.length > 0)
      ops.foreachCopy_(
        buffers,
        [...source.buffers()].map(([, buffer]) => buffer),
      );
  });
}

const list = (module: Module) => [...module.parameters()].map(([, parameter]) => parameter);
