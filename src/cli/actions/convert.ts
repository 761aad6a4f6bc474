import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { configYaml } from '../../config/config-yaml.js';
import { resolveConfig } from '../../config/resolve-config.js';
import { capiRecipe } from '../../methods/capi/capi-config.js';
import type { EncoderPredictorOptions } from '../../models/encoder-predictor.js';
import { loadWeights } from '../../models/load-weights.js';
import { capiLayout, checkCapiState, prototypesIn } from '../../models/published/capi-layout.js';
import { capiNameFromPublished } from '../../models/published/capi-names.js';
import { writeTorchFile } from '../../models/torch-file/write-torch-file.js';
import { RunFolder } from '../../runs/run-folder.js';
import { fillFileAtomic, writeFileAtomic } from '../../support/atomic-file.js';
import { UsageError } from '../../support/errors.js';
import { numberText } from '../../support/number-text.js';
import * as ops from '../../tensor/ops.generated.js';
import { writeSafetensors } from '../../tensor/safetensors.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { saveCheckpoint } from '../../train/checkpoint.js';
import { type CommandResult, cardText } from '../output.js';

/** The checked options of `tessera convert`. */
export type ConvertOptions = {
  /** A run folder, a checkpoint folder, or a weights file. */
  readonly input: string;
  /** Ends in .safetensors, .pth, .pt or .th; without an ending it is a run folder. */
  readonly output: string;
  readonly weights: 'student' | 'teacher';
};

/**
 * `tessera convert`: JSON `{in, out, tensors, parameters}`, parameters being all numbers of these tensors. Files are
 * written in float32 in CAPI's published layout and order; a run folder gets the weights as its checkpoint of step 0.
 */
export async function convert({ input, output, weights: which }: ConvertOptions): Promise<CommandResult> {
  if (existsSync(output)) {
    throw new UsageError(`${output} exists already: expected a new name`, {
      hint: 'Give another name, or move it away first.',
    });
  }
  using weights = await loadWeights(input, [which]);
  const part = weights.parts.get(which)!;
  if (weights.encoder.kind !== 'encoder-predictor')
    throw new UsageError(`Expected a CAPI encoder to convert, received one of kind ${weights.encoder.kind}.`);
  checkCapiState(part, weights.encoder);
  if (extname(output) === '') await writeRun(output, part, weights.encoder);
  else writeFile(output, part, weights.encoder);
  const parameters = [...part.values()].reduce((sum, tensor) => sum + tensor.length, 0);
  const { encoder } = weights.encoder;
  const card = cardText(`${input} to ${output}`, [
    [
      'encoder',
      `${encoder.depth} blocks of width ${encoder.width}, ${encoder.heads} heads, patches of ${encoder.patchSize}`,
    ],
    ['tensors', String(part.size)],
    ['parameters', numberText(parameters)],
  ]);
  return { card, json: { in: input, out: output, tensors: part.size, parameters } };
}

function writeFile(path: string, part: ReadonlyMap<string, Tensor>, options: EncoderPredictorOptions): void {
  scope(() => {
    const names = [...capiLayout(options, prototypesIn(part)).keys()];
    const state = new Map(names.map((name) => [name, ops.to(part.get(capiNameFromPublished(name))!, 'float32')]));
    if (path.toLowerCase().endsWith('.safetensors'))
      fillFileAtomic(path, (partial) => writeSafetensors(partial, state));
    else writeTorchFile(path, state);
  });
}

/** A run that has not done a step: `loadEncoder` takes it, and `pretrain --from` starts from it. It cannot be resumed. */
async function writeRun(
  path: string,
  part: ReadonlyMap<string, Tensor>,
  options: EncoderPredictorOptions,
): Promise<void> {
  const recipe = { file: path, values: recipeValues(options, prototypesIn(part)), line: () => undefined };
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
