import { createHash } from 'node:crypto';
import { invariant } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import type { Attribute, OnnxModel, OnnxNode, OnnxPort, OnnxTensor } from './onnx-model.js';

/** The name of a value: an input, a constant, or what a node gives. */
export type Value = string;

/**
 * Collects the nodes of a network. The same operation on the same values is there once, and so are equal constants, so
 * that what all blocks share need not be handed around.
 */
export class OnnxGraph {
  readonly #nodes: OnnxNode[] = [];
  readonly #tensors = new Map<string, OnnxTensor>();
  readonly #known = new Map<string, readonly Value[]>();

  /** @param names of the tensors that {@link weight} gets */
  constructor(private readonly names: ReadonlyMap<Tensor, string>) {}

  /** What one operator makes of its inputs; an empty text stands for an input that is left out. */
  node(op: string, inputs: readonly Value[], attributes: Record<string, Attribute> = {}): Value {
    return this.nodes(op, inputs, attributes, 1)[0]!;
  }

  /** The same for an operator with several outputs. */
  nodes(op: string, inputs: readonly Value[], attributes: Record<string, Attribute>, outputs: number): Value[] {
    return this.#once(JSON.stringify([op, inputs, attributes, outputs]), () => {
      const names = Array.from(
        { length: outputs },
        (_, i) => `${op}.${this.#nodes.length}${outputs > 1 ? `.${i}` : ''}`,
      );
      this.#nodes.push({ op, inputs, outputs: names, attributes });
      return names;
    });
  }

  /** A float32 constant; one number without axes by default. */
  floats(values: readonly number[], shape: readonly number[] = []): Value {
    return this.#constant('float32', shape, new Uint8Array(Float32Array.from(values).buffer));
  }

  /** A list of int64. */
  integers(...values: readonly number[]): Value {
    return this.#constant('int64', [values.length], new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  /** A small tensor as a constant. */
  constant(tensor: Tensor): Value {
    return this.#constant('float32', tensor.shape, bytesOf(tensor));
  }

  /** A parameter under its name, with its last two axes swapped where `transposed`. It is read when the file is written. */
  weight(tensor: Tensor, transposed = false): Value {
    const name = this.names.get(tensor);
    invariant(name !== undefined, 'a weight that the encoder does not have');
    const shape = transposed ? [...tensor.shape.slice(0, -2), ...tensor.shape.slice(-2).reverse()] : tensor.shape;
    const data = () => scope(() => bytesOf(transposed ? ops.transpose(tensor, -2, -1) : tensor));
    this.#tensors.set(name, { name, type: 'float32', shape, data });
    return name;
  }

  /** Everything, with these inputs and outputs; each output is a copy of a value under its own name. */
  finish(
    inputs: readonly OnnxPort[],
    outputs: readonly (OnnxPort & { readonly value: Value })[],
    metadata: Readonly<Record<string, string>>,
  ): OnnxModel {
    const named = outputs.map(
      ({ name, value }): OnnxNode => ({ op: 'Identity', inputs: [value], outputs: [name], attributes: {} }),
    );
    return { nodes: [...this.#nodes, ...named], tensors: [...this.#tensors.values()], inputs, outputs, metadata };
  }

  #constant(type: OnnxTensor['type'], shape: readonly number[], bytes: Uint8Array): Value {
    const key = createHash('sha256').update(`${type} ${shape} `).update(bytes).digest('hex');
    return this.#once(key, () => {
      const name = `constant.${this.#tensors.size}`;
      this.#tensors.set(name, { name, type, shape, data: () => bytes });
      return [name];
    })[0]!;
  }

  #once(key: string, make: () => Value[]): Value[] {
    const known = this.#known.get(key) ?? make();
    this.#known.set(key, known);
    return [...known];
  }
}

function bytesOf(tensor: Tensor): Uint8Array {
  return scope(() => new Uint8Array(ops.to(tensor, 'float32').data().buffer));
}
