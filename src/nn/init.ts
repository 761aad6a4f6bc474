import type { Generator } from '../tensor/generator.js';
import * as ops from '../tensor/ops.generated.js';
import { Parameter } from './module.js';

/** A float32 parameter of zeros. */
export function zeros(shape: readonly number[]): Parameter {
  return Parameter.adopt(ops.zeros(shape, 'float32'));
}

/** A float32 parameter of ones. */
export function ones(shape: readonly number[]): Parameter {
  return Parameter.adopt(ops.ones(shape, 'float32'));
}

/** A float32 parameter with the same value everywhere. */
export function constant(shape: readonly number[], value: number): Parameter {
  return Parameter.adopt(ops.full(shape, value, 'float32'));
}

/** Normal deviates with mean 0 and the given standard deviation. */
export function normal(shape: readonly number[], std: number, generator: Generator): Parameter {
  const tensor = ops.empty(shape, 'float32');
  ops.normal_(tensor, 0, std, generator);
  return Parameter.adopt(tensor);
}

/** Uniform deviates in [-bound, bound). */
export function uniform(shape: readonly number[], bound: number, generator: Generator): Parameter {
  const tensor = ops.empty(shape, 'float32');
  ops.uniform_(tensor, -bound, bound, generator);
  return Parameter.adopt(tensor);
}

/** Glorot's uniform initialisation, gain 1: bound √(6 / (inputs + outputs)) (PyTorch `xavier_uniform_`). */
export function xavierUniform(outputs: number, inputs: number, generator: Generator): Parameter {
  return uniform([outputs, inputs], Math.sqrt(6 / (inputs + outputs)), generator);
}

/**
 * Normal deviates cut at ±2 in absolute terms (PyTorch `trunc_normal_` with its default limits). With a standard
 * deviation of at most 0.5 the cut lies beyond four deviations, where redrawing and clamping cannot be told apart.
 */
export function truncatedNormal(shape: readonly number[], std: number, generator: Generator): Parameter {
  const parameter = normal(shape, std, generator);
  parameter.requiresGrad = false;
  ops.clamp_(parameter, -2, 2);
  parameter.requiresGrad = true;
  return parameter;
}
