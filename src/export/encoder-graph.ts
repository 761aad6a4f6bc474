// B batch · R registers · P patches · T tokens (class token, registers, patches) · D width · Y X rows and columns
import { EncoderPredictor } from '../models/encoder-predictor.js';
import { IMAGE_MEAN, IMAGE_STD } from '../models/patches.js';
import { PositionTable } from '../models/position-table.js';
import type { Predictor } from '../models/predictor.js';
import { RelativePositions } from '../models/relative-positions.js';
import type { VisionTransformer } from '../models/vit.js';
import type { Tensor } from '../tensor/tensor.js';
import { OnnxGraph, type Value } from './onnx-graph.js';
import { list, type PatchGrid, sizeOf } from './onnx-grid.js';
import { type AttentionValues, block, norm } from './onnx-layers.js';
import type { OnnxModel, OnnxPort } from './onnx-model.js';
import { patchCoordinates, registerCoordinates, resizedTable, sineTable } from './onnx-positions.js';

/** Sides of images in pixels. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** An encoder's values in a graph. */
interface Tokens {
  readonly tokens_BTD: Value;
  readonly coordinates_T2: Value | undefined;
  readonly batch: Value;
  readonly grid: PatchGrid;
}

/**
 * An encoder as ONNX: `pixel_values` (batch_size, 3, height, width), normalised, gives `last_hidden_state` (all tokens:
 * class token, registers, patches row by row), `patches` (batch_size, rows, columns, D), `global` and the same as
 * `pooler_output`, and where there are any `class` and `registers`: what `ImageEncoder.embed` gives.
 * @param image the only size of images that it takes; any multiple of the patch size where it is left out
 * @throws {ShapeError} the encoder has relative positions of another grid.
 */
export function encoderGraph(encoder: EncoderPredictor | VisionTransformer, image: ImageSize | undefined): OnnxModel {
  const transformer = encoder instanceof EncoderPredictor ? encoder.encoder : encoder;
  // Outputs have names like those of parameters.
  const prefix = encoder === transformer ? 'encoder.' : '';
  const names = new Map<Tensor, string>([...encoder.state()].map(([name, tensor]) => [tensor, prefix + name]));
  const g = new OnnxGraph(names);
  const encoded = transformerGraph(g, transformer, image);
  const { tokens_BTD, batch, grid } = encoded;
  const { width } = transformer;
  const { classToken, registers = 0 } = transformer.options;
  const slice = (from: number, to: number) =>
    g.node('Slice', [tokens_BTD, g.integers(from), g.integers(to), g.integers(1)]);
  const patches_BPD = transformer.prefixTokens > 0 ? slice(transformer.prefixTokens, END) : tokens_BTD;
  const class_BD = classToken ? g.node('Squeeze', [slice(0, 1), g.integers(1)]) : undefined;
  const mean = (tokens: Value) => g.node('ReduceMean', [tokens], { axes: [1], keepdims: 0 });
  const global_BD =
    encoder instanceof EncoderPredictor
      ? mean(predictorGraph(g, encoder.predictor, encoded))
      : (class_BD ?? mean(patches_BPD));
  const globalWidth = encoder instanceof EncoderPredictor ? encoder.predictor.options.width : width;
  const first = Number(classToken);
  const outputs: (OnnxPort & { value: Value })[] = [
    { name: 'last_hidden_state', shape: ['batch_size', 'tokens', width], value: tokens_BTD },
    { name: 'pooler_output', shape: ['batch_size', globalWidth], value: global_BD },
    { name: 'global', shape: ['batch_size', globalWidth], value: global_BD },
    {
      name: 'patches',
      shape: ['batch_size', 'rows', 'columns', width],
      value: g.node('Reshape', [patches_BPD, list(g, batch, grid.rows, grid.columns, width)]),
    },
  ];
  if (class_BD) outputs.push({ name: 'class', shape: ['batch_size', width], value: class_BD });
  if (registers > 0) {
    const value = slice(first, first + registers);
    outputs.push({ name: 'registers', shape: ['batch_size', registers, width], value });
  }
  const sides = image ? [image.height, image.width] : ['height', 'width'];
  const metadata = {
    image_mean: JSON.stringify(IMAGE_MEAN),
    image_std: JSON.stringify(IMAGE_STD),
    patch_size: String(transformer.patchSize),
  };
  return g.finish([{ name: INPUT, shape: ['batch_size', 3, ...sides] }], outputs, metadata);
}

const INPUT = 'pixel_values';
const END = 2 ** 31 - 1;

/** Source: models/vit.ts `VisionTransformer.forward`. */
function transformerGraph(g: OnnxGraph, vit: VisionTransformer, image: ImageSize | undefined): Tokens {
  const { options, width, patchSize } = vit;
  const { weight, bias } = vit.patchEmbed;
  const sides = { kernel_shape: [patchSize, patchSize], strides: [patchSize, patchSize] };
  const embedded_BDYX = g.node('Conv', [INPUT, g.weight(weight), g.weight(bias)], sides);
  const batch = sizeOf(g, INPUT, 0);
  const grid = image
    ? { rows: g.integers(image.height / patchSize), columns: g.integers(image.width / patchSize) }
    : { rows: sizeOf(g, embedded_BDYX, 2), columns: sizeOf(g, embedded_BDYX, 3) };
  const flat_BDP = g.node('Reshape', [embedded_BDYX, g.integers(0, width, -1)]);
  const embedded_BPD = g.node('Transpose', [flat_BDP], { perm: [0, 2, 1] });
  const normed_BPD = vit.patchNorm ? norm(g, vit.patchNorm, embedded_BPD, width) : embedded_BPD;
  const positions_1PD = positions(g, vit, grid);
  const placed_BPD = positions_1PD ? g.node('Add', [normed_BPD, positions_1PD]) : normed_BPD;
  const prefix = [vit.classToken, vit.registers]
    .filter((token) => token !== undefined && token.size(1) > 0)
    .map((token) => g.node('Expand', [g.weight(token!), list(g, batch, 1, 1)]));
  const joined_BTD = prefix.length > 0 ? g.node('Concat', [...prefix, placed_BPD], { axis: 1 }) : placed_BPD;
  let x_BTD = vit.embedNorm ? norm(g, vit.embedNorm, joined_BTD, width) : joined_BTD;
  const given: AttentionValues = {
    coordinates_N2: coordinates(g, vit, grid),
    bias_1ANM: relativeBias(g, vit, image),
  };
  const { outputBlock = vit.depth - 1 } = options;
  for (const layer of vit.blocks.slice(0, outputBlock + 1)) x_BTD = block(g, layer, options, x_BTD, given);
  const tokens_BTD = vit.norm ? norm(g, vit.norm, x_BTD, width) : x_BTD;
  return { tokens_BTD, coordinates_T2: given.coordinates_N2, batch, grid };
}

function positions(g: OnnxGraph, vit: VisionTransformer, grid: PatchGrid): Value | undefined {
  const { positions: kind } = vit.options;
  if (kind.kind === 'computed') return sineTable(g, grid, vit.width);
  if (kind.kind !== 'table' || !(vit.positions instanceof PositionTable)) return undefined;
  return resizedTable(g, vit.positions, kind, grid, vit.width);
}

function coordinates(g: OnnxGraph, { options }: VisionTransformer, grid: PatchGrid): Value | undefined {
  const { positions: kind, registers = 0 } = options;
  if (kind.kind !== 'rope') return undefined;
  const patches_P2 = patchCoordinates(g, grid);
  if (registers === 0) return patches_P2;
  return g.node('Concat', [registerCoordinates(g, grid, registers, kind), patches_P2], { axis: 0 });
}

function relativeBias(g: OnnxGraph, vit: VisionTransformer, image: ImageSize | undefined): Value | undefined {
  const { positions: table, patchSize } = vit;
  if (!(table instanceof RelativePositions)) return undefined;
  const { height = 0, width = 0 } = image ?? {};
  using bias = table.forward(height / patchSize, width / patchSize, vit.options.classToken);
  return g.constant(bias);
}

/** The first block's outputs (B, P, D) at all patches. Source: models/encoder-predictor.ts `EncoderPredictor.embed`. */
function predictorGraph(g: OnnxGraph, predictor: Predictor, encoded: Tokens): Value {
  const { options, maskToken, blocks, norm: last } = predictor;
  const { batch, grid, tokens_BTD, coordinates_T2 } = encoded;
  const [maskTokenValue, one] = [g.weight(maskToken), g.integers(1)];
  const patches = g.node('Mul', [grid.rows, grid.columns]);
  const queries_BPD = g.node('Expand', [maskTokenValue, list(g, batch, patches, one)]);
  const kind = { ...options, placement: 'pre', activation: 'gelu' } as const;
  const given = {
    coordinates_N2: patchCoordinates(g, grid),
    context: { tokens_BMD: tokens_BTD, coordinates_M2: coordinates_T2 },
  };
  return norm(g, last, block(g, blocks[0]!, kind, queries_BPD, given), options.width);
}
