import { CheckpointError } from '../../support/errors.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { EncoderPredictorOptions } from '../encoder-predictor.js';
import { capiNameFromPublished } from './capi-names.js';

/** What the weights' shapes do not tell of a transformer, as published (default_pretrain_config.yaml, CAPI model.py). */
export const publishedTransformer = {
  normEps: 1e-5,
  dropPath: { rate: 0.2, kind: 'efficient' },
  rope: { maxFrequency: 7, minFrequency: 7e-4 },
} as const;

/** The same of the registers. */
export const publishedRegisters = { registerCoordinates: 'edge', scaleRegistersToVisible: true } as const;

/**
 * Names and shapes of a CAPI encoder in the published checkpoints, in their order; with `prototypes`, of its head too.
 * Source: CAPI model.py, `EncoderDecoder.state_dict` and `L2NormLinear.state_dict`; train_capi.py, evaluation checkpoints.
 */
export function capiLayout(options: EncoderPredictorOptions, prototypes?: number): Map<string, readonly number[]> {
  const { encoder, predictor } = options;
  const { patchSize, width, registers } = encoder;
  const layout = new Map<string, readonly number[]>();
  layout.set('backbone.mask_token', [1, predictor.width]);
  layout.set('backbone.registers', [1, registers, width]);
  const addBlocks = (name: string, sizes: { width: number; heads: number; depth: number }, contextWidth: number) => {
    for (let index = 0; index < sizes.depth; index++) {
      const block = blockLayout(sizes, contextWidth);
      for (const [inner, shape] of Object.entries(block))
        layout.set(`backbone.${name}.blocks.${index}.${inner}`, shape);
    }
  };
  addBlocks('encoder', encoder, width);
  addBlocks('decoder', predictor, width);
  layout.set('backbone.patch_embed.weight', [width, 3, patchSize, patchSize]);
  layout.set('backbone.patch_embed.bias', [width]);
  if (prototypes !== undefined) {
    layout.set('head.last_layer.weight_g', [prototypes, 1]);
    layout.set('head.last_layer.weight_v', [prototypes, predictor.width]);
  }
  return layout;
}

function blockLayout({ width, heads }: { width: number; heads: number }, contextWidth: number) {
  return {
    'residual1.norm.weight': [width],
    'residual1.fn.q_proj.weight': [width, width],
    'residual1.fn.k_proj.weight': [width, contextWidth],
    'residual1.fn.v_proj.weight': [width, contextWidth],
    'residual1.fn.proj.weight': [width, width],
    'residual1.fn.rope.freqs': [2, width / heads],
    'residual2.norm.weight': [width],
    'residual2.fn.fc1.weight': [4 * width, width],
    'residual2.fn.fc2.weight': [width, 4 * width],
  } as const;
}

/** Our names for the tensors of a published checkpoint, whose keys may lack `backbone.`. Names that are ours stay. */
export function fromPublishedCapi(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map(
    [...state].map(([name, tensor]) => [
      capiNameFromPublished(/^(backbone|head)\./.test(name) ? name : `backbone.${name}`),
      tensor,
    ]),
  );
}

/** Number of prototypes of the head in a state (our names); undefined where it has none. */
export function prototypesIn(state: ReadonlyMap<string, Tensor>): number | undefined {
  return state.get('head.last_layer.weight_v')?.shape[0];
}

/**
 * The sizes of a CAPI encoder from the shapes of its weights (our names): heads from the width of the rotary
 * frequencies. What shapes do not tell has the published value.
 * @throws {CheckpointError} these are not, or not all, of the weights of such an encoder; all problems are listed.
 */
export function capiOptionsFromShapes(state: ReadonlyMap<string, Tensor>): EncoderPredictorOptions {
  const encoder = transformerSizes(state, 'encoder', 'encoder.patch_embed.bias');
  const predictor = transformerSizes(state, 'predictor', 'predictor.mask_token');
  const options: EncoderPredictorOptions = {
    encoder: {
      ...encoder,
      patchSize: shapeOf(state, 'encoder.patch_embed.weight').at(-1) ?? 0,
      registers: shapeOf(state, 'encoder.registers').at(1) ?? 0,
      ...publishedRegisters,
      ...publishedTransformer,
    },
    predictor: { ...predictor, contextWidth: encoder.width, ...publishedTransformer },
  };
  checkCapiState(state, options);
  return options;
}

/**
 * Checks names and shapes of a state (our names, head optional), before a network of that size is made.
 * @throws {CheckpointError} listing what is missing, left over, or has another shape.
 */
export function checkCapiState(state: ReadonlyMap<string, Tensor>, options: EncoderPredictorOptions): void {
  const layout = new Map(
    [...capiLayout(options, prototypesIn(state))].map(([name, shape]) => [capiNameFromPublished(name), shape]),
  );
  const problems = [...state.keys()].filter((name) => !layout.has(name)).map((name) => `not part of it: ${name}`);
  for (const [name, shape] of layout) {
    const given = state.get(name)?.shape;
    if (given === undefined) problems.push(`missing: ${name}`);
    else if (given.join() !== shape.join()) problems.push(`${name}: expected shape [${shape}], received [${given}]`);
  }
  const { patchSize, registers } = options.encoder;
  if (patchSize < 1) problems.push('encoder.patch_embed.weight: expected patches of one pixel or more');
  if (registers % 4 !== 0) problems.push(`encoder.registers: expected a multiple of 4, received ${registers}`);
  if (problems.length === 0) return;
  const more = problems.length > 12 ? `\n  and ${problems.length - 12} more` : '';
  throw new CheckpointError(
    `Expected the weights of a CAPI encoder; they do not fit:\n  ${problems.slice(0, 12).join('\n  ')}${more}`,
    {
      hint: 'Give a CAPI run, checkpoint or published file; keys are backbone.encoder.blocks.0.… or encoder.blocks.0.…',
    },
  );
}

/** Sizes of one of the two transformers; zeros where weights are missing, which the check of the whole then reports. */
function transformerSizes(state: ReadonlyMap<string, Tensor>, name: string, widthFrom: string) {
  const width = shapeOf(state, widthFrom).at(-1) ?? 0;
  const channels = shapeOf(state, `${name}.blocks.0.residual1.fn.rope.freqs`).at(-1) ?? 0;
  const heads = channels > 0 ? Math.floor(width / channels) : 0;
  if (channels > 0 && (channels % 4 !== 0 || width % channels !== 0 || width === 0)) {
    throw new CheckpointError(
      `Expected rotary frequencies for a multiple of 4 channels that divides the ${name}'s width ${width}, received ${channels}.`,
    );
  }
  const start = `backbone.${name}.blocks.`;
  const blocks = new Set(
    [...state.keys()].filter((key) => key.startsWith(start)).map((key) => key.slice(start.length).split('.')[0]),
  );
  return { width, heads, depth: blocks.size };
}

function shapeOf(state: ReadonlyMap<string, Tensor>, name: string): number[] {
  return state.get(`backbone.${name}`)?.shape ?? [];
}
