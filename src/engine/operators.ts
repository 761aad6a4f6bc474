import { type Addon, engine, type Result } from './addon.js';

const indices = new Map<string, number>();
let addon: Addon | undefined;

/**
 * Calls the operator with a schema name such as `aten::add.Tensor`, by position, through the dispatcher.
 * @throws {EngineError} the engine does not have it, or refuses the arguments.
 */
export function call(schema: string, ...args: unknown[]): Result {
  addon ??= engine();
  let index = indices.get(schema);
  if (index === undefined) {
    const [name, overload = ''] = schema.split('.');
    index = addon.find(name!, overload);
    indices.set(schema, index);
  }
  return addon.call(index, ...args);
}
