import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { encoderGraph } from '../../../src/export/encoder-graph.js';
import { writeOnnx } from '../../../src/export/onnx-model.js';
import { EncoderPredictor, type EncoderPredictorOptions } from '../../../src/models/encoder-predictor.js';
import { VisionTransformer } from '../../../src/models/vit.js';
import { type VitInput, vitOptions } from '../../../src/models/vit-options.js';
import type { Module } from '../../../src/nn/module.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, noGrad, scope, Tensor } from '../../../src/tensor/tensor.js';
import { expectClose } from '../../support/goldens.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const sizes = { patchSize: 4, width: 16, depth: 2, heads: 2 };
const table = { kind: 'table', rows: 4, columns: 3 } as const;
const learned = { ...table, learned: true } as const;
const capiSizes = {
  width: 16,
  heads: 2,
  normEps: 1e-5,
  dropPath: { rate: 0, kind: 'efficient' },
  rope: { maxFrequency: 7, minFrequency: 7e-4 },
} as const;
const capi = (encoder: Partial<EncoderPredictorOptions['encoder']> = {}): EncoderPredictorOptions => ({
  encoder: {
    ...{ ...capiSizes, patchSize: 4, depth: 2, registers: 8 },
    ...{ registerCoordinates: 'edge', scaleRegistersToVisible: true, ...encoder },
  },
  predictor: { ...capiSizes, width: 32, heads: 4, depth: 2, contextWidth: 16 },
});

/** Every choice of vit-options.ts is in one of them. */
const transformers: Record<string, VitInput> = {
  plain: { ...sizes, positions: table },
  'post-norm, norm of all tokens': {
    ...sizes,
    positions: table,
    placement: 'post',
    embedNorm: true,
    finalNorm: 'none',
  },
  'no class token': { ...sizes, positions: learned, classToken: false },
  'registers, offset table, layer scale': {
    ...sizes,
    positions: { ...learned, offset: 0.1 },
    registers: 3,
    layerScale: 0.5,
  },
  'no registers but their place': { ...sizes, positions: learned, registers: 0 },
  'swiglu, antialiased table': {
    ...sizes,
    positions: { ...learned, antialias: true },
    activation: 'swiglu',
    mlpWidth: 24,
  },
  'antialiased table with offset': { ...sizes, positions: { ...learned, antialias: true, offset: 0.1 } },
  'computed positions, norm of patches, earlier block': {
    ...{ ...sizes, positions: { kind: 'computed' }, classToken: false, patchNorm: true },
    ...{ outputBlock: 0, qkvBias: 'none', biases: false, finalNorm: 'plain' },
  },
  'rope with class token, registers at the origin': {
    ...{ ...sizes, positions: { kind: 'rope', registerCoordinates: 'zeros', scaleRegistersToVisible: false } },
    ...{ classToken: false, registers: 3, norm: { kind: 'rms', eps: 1e-5 }, qkvBias: 'query-value' },
  },
};

/** Weights that are far from their first values, so that every one of them matters. */
function shaken<M extends Module>(module: M, generator: Generator): M {
  noGrad(() => {
    for (const [, parameter] of module.parameters()) {
      using noise = ops.empty(parameter.shape, 'float32');
      ops.normal_(noise, 0, 0.3, generator);
      ops.add_(parameter, noise);
    }
  });
  return module;
}

function make(options: VitInput | EncoderPredictorOptions): VisionTransformer | EncoderPredictor {
  using generator = new Generator(1);
  return 'predictor' in options
    ? shaken(new EncoderPredictor(options, generator), generator)
    : shaken(new VisionTransformer(vitOptions(options), generator), generator);
}

interface Images {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

/** What the file gives for images, and what the engine gives, held against each other; the names of the outputs. */
async function compare(
  session: ort.InferenceSession,
  encoder: VisionTransformer | EncoderPredictor,
  { batch, rows, columns }: Images,
): Promise<void> {
  const shape = [batch, 3, 4 * rows, 4 * columns];
  const pixels = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 0.37));
  const outputs = await session.run({ pixel_values: new ort.Tensor('float32', pixels, shape) });
  scope(() => {
    const { global_BD, class_BD, registers_BRD, patches_BYXD } = encoder.embed(Tensor.from(pixels, shape));
    const all = [class_BD && ops.unsqueeze(class_BD, 1), registers_BRD, ops.flatten(patches_BYXD, 1, 2)];
    const expected: Record<string, Tensor> = {
      global: global_BD,
      pooler_output: global_BD,
      patches: patches_BYXD,
      last_hidden_state: ops.cat(
        all.filter((part) => part !== undefined),
        1,
      ),
      ...(class_BD && { class: class_BD }),
      ...(registers_BRD.size(1) > 0 && { registers: registers_BRD }),
    };
    expect(Object.keys(outputs).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, tensor] of Object.entries(expected)) {
      const output = outputs[name]!;
      expect(output.dims).toEqual(tensor.shape);
      expectClose(Tensor.from(output.data as Float32Array, output.dims), tensor, 1e-4, `${name} of ${rows}x${columns}`);
    }
  });
}

/** Opens what is written of an encoder; gives the same encoder for comparison. */
async function open(encoder: VisionTransformer | EncoderPredictor, image?: { height: number; width: number }) {
  const path = join(temporaryFolder(), 'encoder.onnx');
  writeOnnx(path, encoderGraph(encoder, image));
  return ort.InferenceSession.create(path);
}

const stored = { batch: 2, rows: 4, columns: 3 };
const sets: Images[] = [
  stored,
  { batch: 1, rows: 4, columns: 4 },
  { batch: 3, rows: 9, columns: 5 },
  { batch: 1, rows: 2, columns: 3 },
  { batch: 2, rows: 1, columns: 6 },
];

const encoders: Record<string, VitInput | EncoderPredictorOptions> = {
  ...transformers,
  CAPI: capi(),
  'CAPI without registers': capi({ registers: 0 }),
};

it.each(Object.entries(encoders))('%s: gives what the engine gives for images of any size', async (_, options) => {
  const before = liveTensors().tensors;
  {
    using encoder = make(options);
    const session = await open(encoder);
    for (const images of sets) await compare(session, encoder, images);
  }
  expect(liveTensors().tensors).toBe(before);
});

it.each(['plain', 'registers, offset table, layer scale', 'CAPI'])('%s: and of one size', async (name) => {
  using encoder = make(encoders[name]!);
  for (const { rows, columns } of [stored, { rows: 3, columns: 7 }]) {
    const session = await open(encoder, { height: 4 * rows, width: 4 * columns });
    for (const batch of [1, 2]) await compare(session, encoder, { batch, rows, columns });
    await expect(compare(session, encoder, { batch: 1, rows: 5, columns: 5 })).rejects.toThrow(/dimensions/);
  }
});

it('relative positions take one size only', async () => {
  const options: VitInput = { ...sizes, positions: { kind: 'relative', rows: 4, columns: 3 }, qkvBias: 'query-value' };
  using encoder = make(options);
  const session = await open(encoder, { height: 16, width: 12 });
  await compare(session, encoder, stored);
  expect(() => encoderGraph(encoder, undefined)).toThrow(/relative positions/);
});
