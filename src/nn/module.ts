import { CheckpointError } from '../support/errors.js';
import { type DType, isFloatingPoint } from '../tensor/dtype.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../tensor/tensor.js';

/** A trainable tensor that a module owns: it outlives scopes until the module is disposed. */
export class Parameter extends Tensor {
  /** Takes over a tensor that the caller has just made. */
  static adopt(tensor: Tensor): Parameter {
    const parameter = new Parameter(tensor.release()).retain();
    parameter.requiresGrad = true;
    return parameter;
  }
}

/** A tensor that a module owns and that belongs to its state, but is not trained: a fixed table, running statistics. */
export class ModuleBuffer extends Tensor {
  /** Takes over a tensor that the caller has just made. */
  static adopt(tensor: Tensor): ModuleBuffer {
    return new ModuleBuffer(tensor.release()).retain();
  }
}

/**
 * A part of a model. Its parameters and buffers are its properties; their names in a state dict are the property paths in
 * snake case (`blocks[0].qProj.weight` is `blocks.0.q_proj.weight`), own ones before those of children, as in PyTorch.
 */
export abstract class Module {
  /** Names and parameters, in the order of PyTorch's `named_parameters`. */
  *parameters(prefix = ''): Generator<[string, Parameter]> {
    for (const [name, tensor] of this.#owned(prefix)) if (tensor instanceof Parameter) yield [name, tensor];
  }

  /** Names and buffers. */
  *buffers(prefix = ''): Generator<[string, ModuleBuffer]> {
    for (const [name, tensor] of this.#owned(prefix)) if (tensor instanceof ModuleBuffer) yield [name, tensor];
  }

  /** Borrowed parameters and buffers by name. */
  state(): Map<string, Parameter | ModuleBuffer> {
    return new Map(this.#owned(''));
  }

  *#owned(prefix: string): Generator<[string, Parameter | ModuleBuffer]> {
    for (const [key, value] of Object.entries(this)) if (isOwned(value)) yield [prefix + snakeCase(key), value];
    for (const [key, value] of Object.entries(this)) {
      if (value instanceof Module) yield* value.#owned(`${prefix}${snakeCase(key)}.`);
      if (!Array.isArray(value)) continue;
      for (const [index, child] of value.entries()) {
        if (child instanceof Module) yield* child.#owned(`${prefix}${snakeCase(key)}.${index}.`);
      }
    }
  }

  /**
   * Copies a state into the parameters and buffers, converting dtype and device.
   * @throws {CheckpointError} a name is missing or left over, or a shape differs; all problems are listed.
   */
  load(state: ReadonlyMap<string, Tensor>): void {
    const own = this.state();
    const problems = [
      ...[...own.keys()].filter((name) => !state.has(name)).map((name) => `missing: ${name}`),
      ...[...state.keys()].filter((name) => !own.has(name)).map((name) => `not part of this model: ${name}`),
    ];
    for (const [name, parameter] of own) {
      const given = state.get(name);
      if (given && given.shape.join() !== parameter.shape.join()) {
        problems.push(`${name}: expected shape [${parameter.shape}], received [${given.shape}]`);
      }
    }
    if (problems.length > 0) {
      const shown = problems.slice(0, 12).join('\n  ');
      const more = problems.length > 12 ? `\n  and ${problems.length - 12} more` : '';
      throw new CheckpointError(`The weights do not fit the model:\n  ${shown}${more}`, {
        hint: 'Use the recipe and preset that the weights were trained with.',
      });
    }
    noGrad(() => {
      for (const [name, parameter] of own) ops.copy_(parameter, state.get(name)!);
    });
  }

  /**
   * Replaces every parameter and buffer by one of another dtype or on another device; whole numbers keep their dtype. Call
   * it before optimisers are made.
   */
  to(target: { dtype?: DType; device?: string }): this {
    for (const [key, value] of Object.entries(this)) {
      if (isOwned(value)) (this as Record<string, unknown>)[key] = moved(value, target);
      if (value instanceof Module) value.to(target);
      if (Array.isArray(value)) for (const child of value) if (child instanceof Module) child.to(target);
    }
    return this;
  }

  /** Whether gradients are computed for the parameters. */
  set trainable(value: boolean) {
    for (const [, parameter] of this.parameters()) parameter.requiresGrad = value;
  }

  dispose(): void {
    for (const [, tensor] of this.#owned('')) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const isOwned = (value: unknown) => value instanceof Parameter || value instanceof ModuleBuffer;

function moved(owned: Parameter | ModuleBuffer, target: { dtype?: DType; device?: string }): Parameter | ModuleBuffer {
  const dtype = isFloatingPoint(owned.dtype) ? (target.dtype ?? owned.dtype) : owned.dtype;
  const copy = scope(() => noGrad(() => ops.clone(ops.toDevice(owned, target.device ?? owned.device, dtype))));
  const { requiresGrad } = owned;
  owned.dispose();
  if (owned instanceof ModuleBuffer) return ModuleBuffer.adopt(copy);
  const parameter = Parameter.adopt(copy);
  parameter.requiresGrad = requiresGrad;
  return parameter;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
