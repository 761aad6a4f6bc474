import { closeSync, openSync, writeSync } from 'node:fs';
import { PbfWriter } from 'pbf';
import { fillFileAtomic } from '../support/atomic-file.js';
import { byteText } from '../support/byte-text.js';
import { UsageError } from '../support/errors.js';

/** Operators of this version are used: browsers have it, and it is the first with LayerNormalization. */
const OPSET = 17;
/** Version of the format that came with it. */
const IR_VERSION = 8;
/** No protobuf message may be larger. */
const LIMIT = 2 ** 31 - 1;
const CHUNK = 2 ** 24;

/** Whole numbers, lists of them, texts and fractions. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A tensor that the file holds. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: 'float32' | 'int64';
  readonly shape: readonly number[];
  /** Its elements, row by row; called when they are written. */
  data(): Uint8Array;
}

/** A float32 input or output; sides that are texts may be of any size. */
export interface OnnxPort {
  readonly name: string;
  readonly shape: readonly (number | string)[];
}

/** A network as ONNX describes it: nodes in the order in which they can be computed. */
export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly OnnxTensor[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Facts for people and programs. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Writes a model with its weights into one file, which appears complete or not at all; gives its bytes. One tensor at a
 * time is in memory. Source of the field numbers: onnx/onnx.proto.
 * @throws {UsageError} it has 2 GiB or more.
 * @throws {TesseraError} STORAGE: the disk is full or not writable.
 */
export function writeOnnx(path: string, model: OnnxModel): number {
  const tensors = model.tensors.map((tensor) => ({ tensor, head: tensorHead(tensor) }));
  const graph = message((pbf) => writeGraph(pbf, model));
  const graphBytes = tensors.reduce((sum, { tensor, head }) => sum + head.length + byteLength(tensor), graph.length);
  const start = message((pbf) => {
    writeModel(pbf, model);
    pbf.writeTag(fields.model.graph, BYTES);
    pbf.writeVarint(graphBytes);
  });
  const bytes = start.length + graphBytes;
  if (bytes > LIMIT)
    throw new UsageError(`Expected an encoder that takes less than 2 GiB as ONNX, this one takes ${byteText(bytes)}.`, {
      hint: 'Export a smaller encoder, or use tessera convert for its weights alone.',
    });
  const fill = (partial: string) => {
    const file = openSync(partial, 'w');
    try {
      for (const part of [start, graph]) write(file, part);
      for (const { tensor, head } of tensors) {
        write(file, head);
        write(file, tensor.data());
      }
    } finally {
      closeSync(file);
    }
  };
  fillFileAtomic(path, fill, bytes);
  return bytes;
}

function write(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(CHUNK, bytes.length - done));
}

const fields = {
  model: { irVersion: 1, producer: 2, graph: 7, opset: 8, metadata: 14 },
  opset: { version: 2 },
  entry: { key: 1, value: 2 },
  graph: { node: 1, name: 2, tensor: 5, input: 11, output: 12 },
  node: { input: 1, output: 2, name: 3, op: 4, attribute: 5 },
  attribute: { name: 1, float: 2, integer: 3, text: 4, integers: 8, type: 20 },
  tensor: { shape: 1, type: 2, name: 8, data: 9 },
  port: { name: 1, type: 2 },
  type: { tensor: 1 },
  tensorType: { element: 1, shape: 2 },
  shape: { side: 1 },
  side: { size: 1, name: 2 },
} as const;

const elementTypes = { float32: 1, int64: 7 } as const;
const attributeTypes = { float: 1, integer: 2, text: 3, integers: 7 } as const;
/** Wire type of what has a length. */
const BYTES = 2;

function message(fill: (pbf: PbfWriter) => void): Uint8Array {
  const pbf = new PbfWriter();
  fill(pbf);
  return pbf.finish();
}

function writeModel(pbf: PbfWriter, { metadata }: OnnxModel): void {
  pbf.writeVarintField(fields.model.irVersion, IR_VERSION);
  pbf.writeStringField(fields.model.producer, 'tessera');
  pbf.writeMessage(
    fields.model.opset,
    (version, opset) => opset.writeVarintField(fields.opset.version, version),
    OPSET,
  );
  for (const entry of Object.entries(metadata)) {
    pbf.writeMessage(
      fields.model.metadata,
      ([key, value], item) => {
        item.writeStringField(fields.entry.key, key);
        item.writeStringField(fields.entry.value, value);
      },
      entry,
    );
  }
}

function writeGraph(pbf: PbfWriter, { nodes, inputs, outputs }: OnnxModel): void {
  pbf.writeStringField(fields.graph.name, 'encoder');
  for (const node of nodes) pbf.writeMessage(fields.graph.node, writeNode, node);
  for (const port of inputs) pbf.writeMessage(fields.graph.input, writePort, port);
  for (const port of outputs) pbf.writeMessage(fields.graph.output, writePort, port);
}

function writeNode({ op, inputs, outputs, attributes }: OnnxNode, pbf: PbfWriter): void {
  for (const name of inputs) pbf.writeStringField(fields.node.input, name);
  for (const name of outputs) pbf.writeStringField(fields.node.output, name);
  pbf.writeStringField(fields.node.name, outputs[0]!);
  pbf.writeStringField(fields.node.op, op);
  for (const entry of Object.entries(attributes)) pbf.writeMessage(fields.node.attribute, writeAttribute, entry);
}

function writeAttribute([name, value]: [string, Attribute], pbf: PbfWriter): void {
  const { attribute } = fields;
  pbf.writeStringField(attribute.name, name);
  if (typeof value === 'string') {
    pbf.writeStringField(attribute.text, value);
    pbf.writeVarintField(attribute.type, attributeTypes.text);
  } else if (typeof value === 'number') {
    pbf.writeVarintField(attribute.integer, value);
    pbf.writeVarintField(attribute.type, attributeTypes.integer);
  } else if ('float' in value) {
    pbf.writeFloatField(attribute.float, value.float);
    pbf.writeVarintField(attribute.type, attributeTypes.float);
  } else {
    for (const item of value) pbf.writeVarintField(attribute.integers, item);
    pbf.writeVarintField(attribute.type, attributeTypes.integers);
  }
}

function writePort({ name, shape }: OnnxPort, pbf: PbfWriter): void {
  pbf.writeStringField(fields.port.name, name);
  pbf.writeMessage(
    fields.port.type,
    (_, type) => type.writeMessage(fields.type.tensor, writeTensorType, shape),
    undefined,
  );
}

function writeTensorType(shape: OnnxPort['shape'], pbf: PbfWriter): void {
  const writeSide = (side: number | string, item: PbfWriter) => {
    if (typeof side === 'string') item.writeStringField(fields.side.name, side);
    else item.writeVarintField(fields.side.size, side);
  };
  pbf.writeVarintField(fields.tensorType.element, elementTypes.float32);
  pbf.writeMessage(
    fields.tensorType.shape,
    (sides, item) => {
      for (const side of sides) item.writeMessage(fields.shape.side, writeSide, side);
    },
    shape,
  );
}

/** Everything of a tensor but its elements, which follow. */
function tensorHead(tensor: OnnxTensor): Uint8Array {
  const bytes = byteLength(tensor);
  const inner = message((pbf) => {
    for (const side of tensor.shape) pbf.writeVarintField(fields.tensor.shape, side);
    pbf.writeVarintField(fields.tensor.type, elementTypes[tensor.type]);
    pbf.writeStringField(fields.tensor.name, tensor.name);
    pbf.writeTag(fields.tensor.data, BYTES);
    pbf.writeVarint(bytes);
  });
  const outer = message((pbf) => {
    pbf.writeTag(fields.graph.tensor, BYTES);
    pbf.writeVarint(inner.length + bytes);
  });
  return Buffer.concat([outer, inner]);
}

function byteLength({ type, shape }: OnnxTensor): number {
  return shape.reduce((product, side) => product * side, type === 'int64' ? 8 : 4);
}
