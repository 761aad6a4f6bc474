import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RunFolder } from '../runs/run-folder.js';
import { CheckpointError, UsageError } from '../support/errors.js';
import { suggestion } from '../support/nearest-name.js';
import { readSafetensors } from '../tensor/safetensors.js';
import type { Tensor } from '../tensor/tensor.js';
import { readManifest, readPart } from './checkpoint-folder.js';
import { type KnownEncoder, readDescription } from './encoder-kinds.js';
import { capiOptionsFromShapes, fromPublishedCapi } from './published/capi-layout.js';
import { readTorchFile } from './torch-file/read-torch-file.js';
import { flattenState } from './torch-file/torch-value.js';

/** Parts of what was trained, as `Method.warmStart` takes them, with what is needed to build the encoder again. */
export interface LoadedWeights extends Disposable {
  readonly encoder: KnownEncoder;
  /** By part (`student`, `teacher`, …), then by our parameter names. */
  readonly parts: ReadonlyMap<string, ReadonlyMap<string, Tensor>>;
  /** Frees all tensors. */
  dispose(): void;
}

/** Where weights lie. */
type Place = { readonly kind: 'checkpoint' | 'file'; readonly path: string };

/**
 * Weights of a run (its latest checkpoint), a checkpoint folder, or a `.safetensors`, `.pth`, `.pt` or `.th` file in
 * CAPI's published layout; tensors are on the CPU and the caller's. A file has one encoder, which then is student and
 * teacher alike.
 * @param wanted parts to read; those that a checkpoint does not have are left out, unless it has none of them
 * @throws {UsageError} nothing of that kind is there.
 * @throws {CheckpointError} it is damaged, or of another model.
 */
export async function loadWeights(source: string, wanted: readonly string[]): Promise<LoadedWeights> {
  const place = findWeights(source);
  const made = new Set<Tensor>();
  const dispose = () => {
    for (const tensor of made) tensor.dispose();
  };
  const own = (part: ReadonlyMap<string, Tensor>) => {
    for (const tensor of part.values()) made.add(tensor);
    return part;
  };
  try {
    if (place.kind === 'file') {
      const state = own(await readFileState(place.path));
      const parts = new Map(
        wanted.filter((name) => name === 'student' || name === 'teacher').map((name) => [name, state]),
      );
      const encoder = { kind: 'encoder-predictor', ...capiOptionsFromShapes(state) } as const;
      return { encoder, parts, dispose, [Symbol.dispose]: dispose };
    }
    const manifest = readManifest(place.path);
    const encoder = readDescription(manifest.encoder, join(place.path, 'manifest.json'));
    const there = wanted.filter((name) => manifest.files[`${name}.safetensors`] !== undefined);
    const parts = new Map<string, ReadonlyMap<string, Tensor>>();
    for (const name of there.length > 0 ? there : wanted)
      parts.set(name, own(await readPart(place.path, manifest, name)));
    return { encoder, parts, dispose, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** How to build the encoder of {@link loadWeights}'s sources; only files are read whole for it. */
export async function readEncoderOptions(source: string): Promise<KnownEncoder> {
  const place = findWeights(source);
  if (place.kind === 'checkpoint')
    return readDescription(readManifest(place.path).encoder, join(place.path, 'manifest.json'));
  using weights = await loadWeights(source, []);
  return weights.encoder;
}

function findWeights(source: string): Place {
  if (!existsSync(source)) {
    const parent = dirname(source);
    const beside = existsSync(parent) && statSync(parent).isDirectory() ? readdirSync(parent) : [];
    throw new UsageError(
      `Expected a run folder, a checkpoint folder or a weights file, found nothing at ${source}${suggestion(basename(source), beside)}`,
      { hint: 'tessera runs list FOLDER finds runs; random:<preset> is an untrained encoder.' },
    );
  }
  if (!statSync(source).isDirectory()) return { kind: 'file', path: source };
  if (existsSync(join(source, 'manifest.json'))) return { kind: 'checkpoint', path: source };
  const latest = RunFolder.open(source).latestCheckpoint();
  if (latest === undefined) {
    throw new UsageError(`The run ${source} has no checkpoint yet.`, {
      hint: 'Wait for its first checkpoint, or resume it: tessera pretrain … --resume.',
    });
  }
  return { kind: 'checkpoint', path: latest.path };
}

async function readFileState(path: string): Promise<Map<string, Tensor>> {
  if (path.toLowerCase().endsWith('.safetensors')) return fromPublishedCapi(readSafetensors(path));
  const file = await readTorchFile(path);
  const state = flattenState(file.value);
  const kept = new Set(state.values());
  for (const tensor of file.tensors) if (!kept.has(tensor)) tensor.dispose();
  if (state.size > 0) return fromPublishedCapi(state);
  throw new CheckpointError(`Expected a state dict with tensors in ${path}, found none.`, {
    hint: 'Save the state dict only: torch.save(model.state_dict(), path).',
  });
}
