import { existsSync } from 'node:fs';
import { CheckpointError, UsageError } from '../support/errors.js';
import { suggestion } from '../support/nearest-name.js';
import { Generator } from '../tensor/generator.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ImageEncoder } from './encoder.js';
import { buildEncoder, type KnownEncoder } from './encoder-kinds.js';
import { loadWeights, readEncoderOptions } from './load-weights.js';
import { type NetworkPreset, networkPresets, networkSizes } from './presets.js';
import { publishedRegisters, publishedTransformer } from './published/capi-layout.js';
import { splitHints } from './published/weights-file.js';

const BACKBONE = 'backbone.';
const RANDOM = 'random:';

export interface LoadEncoderOptions {
  /** Which encoder of a run: the moving average (default), or the student that is trained. Files have one. */
  readonly weights?: 'student' | 'teacher';
  /** `cpu` (default), `cuda`, `cuda:1`, `mps`. */
  readonly device?: string;
}

/**
 * A trained encoder from a run folder (its latest checkpoint), a checkpoint folder, or a file in a published layout;
 * or an untrained one: `random:<preset>`, `random:<preset>:<patch size>`, or `random:` before any of the former, which
 * has its sizes. Random weights come from seed 0. In float32; the caller disposes of it.
 * @throws {UsageError} nothing of that kind is there, or the preset does not exist.
 * @throws {CheckpointError} what is there is damaged, or of another model.
 */
export async function loadEncoder(model: string, options: LoadEncoderOptions = {}): Promise<ImageEncoder> {
  const { weights: which = 'teacher', device = 'cpu' } = options;
  if (isUntrained(model)) return build(await untrainedEncoder(model), undefined, device);
  using weights = await loadWeights(model, [which]);
  return build(weights.encoder, backboneOf(weights.parts.get(which)!), device);
}

function build(
  description: KnownEncoder,
  state: ReadonlyMap<string, Tensor> | undefined,
  device: string,
): ImageEncoder {
  using generator = new Generator(0);
  const encoder = buildEncoder(description, generator);
  try {
    if (state) encoder.load(state);
    encoder.trainable = false;
    return device === 'cpu' ? encoder : encoder.to({ device });
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}

function backboneOf(part: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const state = [...part].filter(([name]) => name.startsWith(BACKBONE));
  if (state.length > 0) return new Map(state.map(([name, tensor]) => [name.slice(BACKBONE.length), tensor]));
  throw new CheckpointError(`Expected weights below "${BACKBONE}", found ${[...part.keys()].slice(0, 3).join(', ')}.`);
}

/** Whether `model` names an untrained encoder. */
export function isUntrained(model: string): boolean {
  return model.startsWith(RANDOM);
}

/** How the untrained encoder `random:…` is built. @throws {UsageError | CheckpointError} as {@link loadEncoder}. */
export async function untrainedEncoder(model: string): Promise<KnownEncoder> {
  const text = model.slice(RANDOM.length);
  const [, name = '', patch] = /^(.*?)(?::([^:/]*))?$/.exec(text)!;
  const preset = networkPresets.find((known) => known === name);
  if (preset !== undefined) return presetOptions(preset, patchSizeOf(patch));
  if (existsSync(splitHints(text).path)) return await readEncoderOptions(text);
  throw new UsageError(
    `Expected random:<preset> with a preset of ${networkPresets.join(', ')}, or random:<run folder or file>, received ${RANDOM}${text}${suggestion(name, networkPresets)}`,
    { hint: 'random:vit-s is an untrained ViT-S with patches of 14 pixels; random:vit-s:16 one with 16.' },
  );
}

function patchSizeOf(text: string | undefined): number {
  if (text === undefined) return 14;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new UsageError(`Expected a patch size in pixels after random:<preset>:, received ${text || 'nothing'}.`, {
    hint: 'For example random:vit-s:16.',
  });
}

/** An encoder of the published kind with 16 registers. */
function presetOptions(preset: NetworkPreset, patchSize: number): KnownEncoder {
  const { width, depth, heads, predictorDepth } = networkSizes[preset];
  const shared = { width, heads, ...publishedTransformer };
  return {
    kind: 'encoder-predictor',
    encoder: { ...shared, ...publishedRegisters, patchSize, depth, registers: 16 },
    predictor: { ...shared, depth: predictorDepth, contextWidth: width },
  };
}
