import type { OnnxGraph, Value } from './onnx-graph.js';

/** Numbers of rows and columns of patches: lists of one int64, constant or known when images come. */
export interface PatchGrid {
  readonly rows: Value;
  readonly columns: Value;
}

/** The number of the element type float32. */
const FLOAT32 = 1;

/** A size along one axis, as a list of one int64. */
export function sizeOf(g: OnnxGraph, value: Value, axis: number): Value {
  return g.node('Shape', [value], { start: axis, end: axis + 1 });
}

/** A list of int64 from lists and numbers: a shape. */
export function list(g: OnnxGraph, ...parts: readonly (Value | number)[]): Value {
  return g.node(
    'Concat',
    parts.map((part) => (typeof part === 'number' ? g.integers(part) : part)),
    { axis: 0 },
  );
}

/** A count (a list of one int64) as a list of one float32. */
export function floatOf(g: OnnxGraph, count: Value): Value {
  return g.node('Cast', [count], { to: FLOAT32 });
}

/** 0, 1, … below a count, as float32. */
export function placesBelow(g: OnnxGraph, count: Value): Value {
  const limit = g.node('Squeeze', [floatOf(g, count)]);
  return g.node('Range', [g.floats([0]), limit, g.floats([1])]);
}
