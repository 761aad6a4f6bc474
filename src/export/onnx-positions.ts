// R registers · P patches · D width · Y X rows and columns of patches · V U rows and columns of a stored table
import type { PositionTable } from '../models/position-table.js';
import { edgeCoordinates, type RegisterCoordinatesOptions } from '../models/register-coordinates.js';
import type { VitOptions } from '../models/vit-options.js';
import type { OnnxGraph, Value } from './onnx-graph.js';
import { floatOf, list, type PatchGrid, placesBelow } from './onnx-grid.js';

/** Row and column of every patch, each from 0 to 1: (P, 2). Source: models/patches.ts `patchCoordinates`. */
export function patchCoordinates(g: OnnxGraph, { rows, columns }: PatchGrid): Value {
  const along = (count: Value, shape: Value) => {
    const last = g.node('Max', [g.node('Sub', [floatOf(g, count), g.floats([1])]), g.floats([1])]);
    const places = g.node('Reshape', [g.node('Div', [placesBelow(g, count), last]), shape]);
    return g.node('Expand', [places, list(g, rows, columns, 1)]);
  };
  const places_YX2 = [along(rows, g.integers(-1, 1, 1)), along(columns, g.integers(1, -1, 1))];
  return g.node('Reshape', [g.node('Concat', places_YX2, { axis: 2 }), g.integers(-1, 2)]);
}

/** Where registers are when all patches are there: (R, 2). Source: models/register-coordinates.ts. */
export function registerCoordinates(
  g: OnnxGraph,
  { rows, columns }: PatchGrid,
  count: number,
  { registerCoordinates: places, scaleRegistersToVisible }: RegisterCoordinatesOptions,
): Value {
  const square = places === 'edge' ? [...edgeCoordinates(count)] : Array<number>(2 * count).fill(0);
  const square_R2 = g.floats(square, [count, 2]);
  if (!scaleRegistersToVisible) return square_R2;
  // Patches reach from 0 to 1, or stay at 0 where they are in one line.
  const counts = g.node('Sub', [g.node('Concat', [floatOf(g, rows), floatOf(g, columns)], { axis: 0 }), g.floats([1])]);
  return g.node('Mul', [square_R2, g.node('Min', [counts, g.floats([1])])]);
}

/** Sines and cosines for every patch: (1, P, D). Source: models/position-table.ts `sineTable`. */
export function sineTable(g: OnnxGraph, { rows, columns }: PatchGrid, width: number): Value {
  const quarter = width / 4;
  const frequencies = Array.from({ length: quarter }, (_, i) => 10000 ** -(i / quarter));
  const half = (count: Value, shape: Value) => {
    const places = g.node('Reshape', [placesBelow(g, count), g.integers(-1, 1)]);
    const angles = g.node('Mul', [places, g.floats(frequencies, [1, quarter])]);
    const waves = g.node('Concat', [g.node('Sin', [angles]), g.node('Cos', [angles])], { axis: 1 });
    return g.node('Expand', [g.node('Reshape', [waves, shape]), list(g, rows, columns, 2 * quarter)]);
  };
  const halves = [half(columns, g.integers(1, -1, 2 * quarter)), half(rows, g.integers(-1, 1, 2 * quarter))];
  return g.node('Reshape', [g.node('Concat', halves, { axis: 2 }), g.integers(1, -1, width)]);
}

type TableOptions = VitOptions['positions'] & { readonly kind: 'table' };

/**
 * A stored table for the grid of the image, (1, P, D): bicubic interpolation as a product with a matrix for each axis,
 * because the operator `Resize` is not the same everywhere. Source: models/position-table.ts `PositionTable`.
 */
export function resizedTable(
  g: OnnxGraph,
  { table }: PositionTable,
  options: TableOptions,
  { rows, columns }: PatchGrid,
  width: number,
): Value {
  // PyTorch leaves a grid of the same size as it is, whatever the offset; when it averages, also along one axis alone.
  const equal = [
    g.node('Equal', [rows, g.integers(options.rows)]),
    g.node('Equal', [columns, g.integers(options.columns)]),
  ] as const;
  const both = g.node('And', equal);
  const [sameRows, sameColumns] = options.antialias ? equal : [both, both];
  // Pillow's kernel leaves out what is beyond the edge; PyTorch's plain one repeats the edge.
  const edge = options.antialias ? 0 : 2;
  const padded_VUD = g.node(
    'Pad',
    [g.node('Squeeze', [g.weight(table), g.integers(0)]), g.integers(edge, edge, 0, edge, edge, 0)],
    { mode: 'edge' },
  );
  const [storedRows, storedColumns] = [options.rows + 2 * edge, options.columns + 2 * edge];
  const down_YV = bicubic(g, rows, options.rows, sameRows, options);
  const across_XU = bicubic(g, columns, options.columns, sameColumns, options);
  const flat_VE = g.node('Reshape', [padded_VUD, g.integers(storedRows, storedColumns * width)]);
  const down_YUD = g.node('Reshape', [g.node('MatMul', [down_YV, flat_VE]), g.integers(-1, storedColumns, width)]);
  return g.node('Reshape', [g.node('MatMul', [across_XU, down_YUD]), g.integers(1, -1, width)]);
}

/**
 * Weights of stored places (columns) for the places of another grid (rows). With an edge, stored places begin at -2.
 * Sources: PyTorch UpSampleBicubic2d.cpp (a = -0.75), UpSampleKernel.cpp `HelperInterpCubic` (a = -0.5, wider kernels for
 * smaller grids), UpSample.h `area_pixel_compute_scale`.
 */
function bicubic(g: OnnxGraph, count: Value, stored: number, same: Value, { antialias, offset }: TableOptions): Value {
  const size = g.node('Add', [floatOf(g, count), g.floats([offset])]);
  const scale = g.node('Where', [same, g.floats([1]), g.node('Div', [g.floats([stored]), size])]);
  const half = g.floats([0.5]);
  const centres = g.node('Mul', [g.node('Add', [placesBelow(g, count), half]), scale]);
  const centres_N1 = g.node('Reshape', [centres, g.integers(-1, 1)]);
  const edge = antialias ? 0 : 2;
  const middles = Array.from({ length: stored + 2 * edge }, (_, place) => place - edge + 0.5);
  const distances = g.node('Sub', [centres_N1, g.floats(middles, [1, middles.length])]);
  if (!antialias) return cubic(g, distances, -0.75);
  const weights = cubic(g, g.node('Div', [distances, g.node('Max', [scale, g.floats([1])])]), -0.5);
  return g.node('Div', [weights, g.node('ReduceSum', [weights, g.integers(1)], { keepdims: 1 })]);
}

/** Keys' cubic convolution kernel. */
function cubic(g: OnnxGraph, distances: Value, a: number): Value {
  const x = g.node('Abs', [distances]);
  const polynomial = (...factors: readonly number[]) =>
    factors
      .map((factor) => g.floats([factor]))
      .reduce((sum, factor) => g.node('Add', [g.node('Mul', [sum, x]), factor]));
  const near = polynomial(a + 2, -(a + 3), 0, 1);
  const far = polynomial(a, -5 * a, 8 * a, -4 * a);
  const outer = g.node('Where', [g.node('Less', [x, g.floats([2])]), far, g.floats([0])]);
  return g.node('Where', [g.node('Less', [x, g.floats([1])]), near, outer]);
}
