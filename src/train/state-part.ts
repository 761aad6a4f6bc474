import { CheckpointError } from '../support/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import type { MethodState } from './method.js';

/**
 * A part of a method's state.
 * @param what the state is, as in `a CAPI checkpoint`
 * @throws {CheckpointError} there is no such part.
 */
export function statePart(state: MethodState, name: string, what: string): ReadonlyMap<string, Tensor> {
  const found = state.get(name);
  if (found) return found;
  throw new CheckpointError(`Expected ${what} with "${name}", found ${[...state.keys()].join(', ')}.`);
}
