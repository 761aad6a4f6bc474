import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { configYaml } from '../../config/config-yaml.js';
import { recipeInCode } from '../../config/recipe.js';
import { resolveConfig } from '../../config/resolve-config.js';
import { capiRecipe } from '../../methods/capi/capi-config.js';
import type { EncoderPredictorOptions } from '../../models/encoder-predictor.js';
import { loadWeights } from '../../models/load-weights.js';
import { capiLayout, checkCapiState, prototypesIn } from '../../models/published/capi-layout.js';
import { capiNameFromPublished } from '../../models/published/capi-names.js';
import { toPublished } from '../../models/published/write-published.js';
import { writeTorchFile } from '../../models/torch-file/write-torch-file.js';
import type { VitOptions } from '../../models/vit-options.js';
import { RunFolder } from '../../runs/run-folder.js';
import { fillFileAtomic, writeFileAtomic } from '../../support/atomic-file.js';
import { UsageError } from '../../support/errors.js';
import { numberText } from '../../support/number-text.js';
import * as ops from '../../tensor/ops.generated.js';
import { writeSafetensors } from '../../tensor/safetensors.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { saveCheckpoint } from '../../train/checkpoint.js';
import { type CommandResult, cardText } from '../output.js';

const BACKBONE = 'backbone.';

/** The checked options of `tessera convert`. */
export type ConvertOptions = {
  /** A run folder, a checkpoint folder, or a weights file. */
  readonly input: string;
  /** Ends in .safetensors, .pth, .pt or .th; without an ending it is a run folder. */
  readonly output: string;
  readonly weights: 'student' | 'teacher';
  /** Names and shapes of a published family, for vision transformers; the first that can hold the encoder by default. */
  readonly layout?: string | undefined;
};

/**
 * `tessera convert`: JSON `{in, out, readAs, layout, tensors, parameters}`: `readAs` is `out` with what must be
 * said behind it to read it, parameters are all numbers of these tensors. Files
 * are written in float32 in a published layout: CAPI's with its order, or that of another family. A run folder gets the
 * weights of a CAPI encoder as its checkpoint of step 0.
 */
export async function convert(options: ConvertOptions): Promise<CommandResult> {
  const { input, output, weights: which, layout } = options;
  if (existsSync(output)) {
    throw new UsageError(`${output} exists already: expected a new name`, {
      hint: 'Give another name, or move it away first.',
    });
  }
  using weights = await loadWeights(input, [which]);
  const part = weights.parts.get(which)!;
  const { encoder } = weights;
  const written =
    encoder.kind === 'vit'
      ? convertVit(encoder, part, output, layout)
      : await convertCapi(encoder, part, output, layout);
  const { width, depth, heads, patchSize } = encoder.kind === 'vit' ? encoder : encoder.encoder;
  const readAs = output + (written.hints && `?${written.hints}`);
  const card = cardText(`${input} to ${output}`, [
    ['encoder', `${depth} blocks of width ${width}, ${heads} heads, patches of ${patchSize}`],
    ['layout', written.layout],
    ...(readAs === output ? [] : ([['to be read as', readAs]] as const)),
    ['tensors', String(written.tensors)],
    ['parameters', numberText(written.parameters)],
  ]);
  const { tensors, parameters } = written;
  return { card, json: { in: input, out: output, readAs, layout: written.layout, tensors, parameters } };
}

interface Written {
  readonly layout: string;
  /** What must be said behind the file to read it. */
  readonly hints: string;
  readonly tensors: number;
  readonly parameters: number;
}

async function convertCapi(
  encoder: EncoderPredictorOptions,
  whole: ReadonlyMap<string, Tensor>,
  output: string,
  layout: string | undefined,
): Promise<Written> {
  if (layout !== undefined && layout !== 'capi')
    throw new UsageError(`Expected the layout capi for a CAPI encoder, received ${layout}.`);
  const hasMlp = [...whole.keys()].some((name) => name.startsWith('head.layers.'));
  // The published layout has no place for a head of several layers, and its encoder needs none.
  const part = hasMlp ? new Map([...whole].filter(([name]) => !name.startsWith('head.'))) : whole;
  checkCapiState(part, encoder);
  if (extname(output) === '') await writeRun(output, part, encoder);
  else {
    scope(() => {
      const names = [...capiLayout(encoder, prototypesIn(part)).keys()];
      writeFile(output, new Map(names.map((name) => [name, part.get(capiNameFromPublished(name))!])));
    });
  }
  return { layout: 'capi', hints: '', ...counted(part) };
}

function convertVit(
  { kind: _, ...options }: VitOptions & { kind: 'vit' },
  part: ReadonlyMap<string, Tensor>,
  output: string,
  layout: string | undefined,
): Written {
  if (extname(output) === '') {
    throw new UsageError(`Expected a file to write this encoder to, received ${output}.`, {
      hint: 'End the name in .pth, .pt, .th or .safetensors; only CAPI encoders become run folders.',
    });
  }
  return scope(() => {
    const backbone = [...part].filter(([name]) => name.startsWith(BACKBONE));
    const state = new Map(backbone.map(([name, tensor]) => [name.slice(BACKBONE.length), tensor]));
    const { family, hints, container, state: published } = toPublished(options, state, layout);
    writeFile(output, published, container);
    return { layout: family, hints, ...counted(published) };
  });
}

function counted(state: ReadonlyMap<string, Tensor>): { tensors: number; parameters: number } {
  return { tensors: state.size, parameters: [...state.values()].reduce((sum, tensor) => sum + tensor.length, 0) };
}

function writeFile(path: string, published: ReadonlyMap<string, Tensor>, container?: string): void {
  const state = new Map([...published].map(([name, tensor]) => [name, ops.to(tensor, 'float32')]));
  if (path.toLowerCase().endsWith('.safetensors')) fillFileAtomic(path, (partial) => writeSafetensors(partial, state));
  else writeTorchFile(path, state, container);
}

/** A run that has not done a step: `loadEncoder` takes it, and `pretrain --from` starts from it. It cannot be resumed. */
async function writeRun(
  path: string,
  part: ReadonlyMap<string, Tensor>,
  options: EncoderPredictorOptions,
): Promise<void> {
  const recipe = recipeInCode(recipeValues(options, prototypesIn(part)), path);
  const { config, origins } = resolveConfig(capiRecipe, recipe, []);
  const run = RunFolder.create(path);
  const weights = {
    name: 'capi',
    optimizers: {},
    encoderDescription: { kind: 'encoder-predictor', ...options },
    state: () =>
      new Map([
        ['student', part],
        ['teacher', part],
      ]),
  };
  await saveCheckpoint(run, weights, { step: 0, samples: 0, data: 'none', machine: {} });
  // Last: with it the folder is a run.
  writeFileAtomic(run.config, configYaml(config, origins));
}

/** A recipe for a network of these sizes. */
function recipeValues({ encoder, predictor }: EncoderPredictorOptions, prototypes: number | undefined) {
  const imageSize = Math.max(1, Math.round(224 / encoder.patchSize)) * encoder.patchSize;
  return {
    method: 'capi',
    model: { ...encoder, predictor: { width: predictor.width, depth: predictor.depth, heads: predictor.heads } },
    data: { imageSize },
    ...(prototypes === undefined ? {} : { capi: { prototypes } }),
  };
}
