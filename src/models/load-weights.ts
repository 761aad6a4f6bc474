import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RunFolder } from '../runs/run-folder.js';
import { UsageError } from '../support/errors.js';
import { suggestion } from '../support/nearest-name.js';
import type { Tensor } from '../tensor/tensor.js';
import { readManifest, readPart } from './checkpoint-folder.js';
import { type KnownEncoder, readDescription } from './encoder-kinds.js';
import { capiOptionsFromShapes, fromPublishedCapi } from './published/capi-layout.js';
import { type PublishedHints, readPublishedVit } from './published/read-published.js';
import { type FileHints, openWeightsFile, splitHints, withoutPrefixes } from './published/weights-file.js';

/** Parts of what was trained, as `Method.warmStart` takes them, with what is needed to build the encoder again. */
export interface LoadedWeights extends Disposable {
  readonly encoder: KnownEncoder;
  /** By part (`student`, `teacher`, …), then by our parameter names. */
  readonly parts: ReadonlyMap<string, ReadonlyMap<string, Tensor>>;
  /** Frees all tensors. */
  dispose(): void;
}

/** Where weights lie. */
type Place =
  | { readonly kind: 'checkpoint'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly hints: FileHints };

/**
 * Weights of a run (its latest checkpoint), a checkpoint folder, or a `.safetensors`, `.pth`, `.pt` or `.th` file in a
 * published layout; tensors are on the CPU and the caller's. Most files have one encoder, which then is student and
 * teacher alike. What a file leaves open is said behind it: `weights.pth?heads=12&family=timm&key=ema.model`.
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
      const { encoder, parts } = await readFile(place.path, place.hints, wanted);
      for (const part of parts.values()) own(part);
      return { encoder, parts, dispose, [Symbol.dispose]: dispose };
    }
    const manifest = readManifest(place.path);
    const encoder = readDescription(manifest.encoder, join(place.path, 'manifest.json'));
    const there = wanted.filter((name) => manifest.files[`${name}.safetensors`] !== undefined);
    const parts = new Map<string, ReadonlyMap<string, Tensor>>();
    // A method without an average has one encoder, which is both.
    const only = manifest.files['teacher.safetensors'] === undefined ? 'student' : undefined;
    for (const name of there.length > 0 ? there : wanted)
      parts.set(name, own(await readPart(place.path, manifest, (name === 'teacher' && only) || name)));
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

/**
 * One part of the checkpoint that {@link loadWeights} would take, such as CAPI's `clustering`, on the CPU and the caller's;
 * nothing where it has no such part, or where the source is a file.
 * @throws as {@link loadWeights}.
 */
export async function readCheckpointPart(source: string, name: string): Promise<Map<string, Tensor> | undefined> {
  const place = findWeights(source);
  if (place.kind === 'file') return undefined;
  const manifest = readManifest(place.path);
  return manifest.files[`${name}.safetensors`] === undefined ? undefined : readPart(place.path, manifest, name);
}

function findWeights(source: string): Place {
  if (!existsSync(source)) {
    const { path, hints } = splitHints(source);
    if (path !== source && existsSync(path)) return { kind: 'file', path, hints };
    const parent = dirname(source);
    const beside = existsSync(parent) && statSync(parent).isDirectory() ? readdirSync(parent) : [];
    throw new UsageError(
      `Expected a run folder, a checkpoint folder or a weights file, found nothing at ${source}${suggestion(basename(source), beside)}`,
      { hint: 'tessera runs list FOLDER finds runs; random:<preset> is an untrained encoder.' },
    );
  }
  if (!statSync(source).isDirectory()) return { kind: 'file', path: source, hints: {} };
  if (existsSync(join(source, 'manifest.json'))) return { kind: 'checkpoint', path: source };
  const latest = RunFolder.open(source).latestCheckpoint();
  if (latest === undefined) {
    throw new UsageError(`The run ${source} has no checkpoint yet.`, {
      hint: 'Wait for its first checkpoint, or resume it: tessera pretrain … --resume.',
    });
  }
  return { kind: 'checkpoint', path: latest.path };
}

/** A file's encoder as the wanted parts; files without student and teacher have one encoder, which is both. */
async function readFile(
  path: string,
  hints: FileHints,
  wanted: readonly string[],
): Promise<{ encoder: KnownEncoder; parts: Map<string, ReadonlyMap<string, Tensor>> }> {
  const file = await openWeightsFile(path);
  const made = new Set(file.tensors);
  try {
    const networks = wanted.filter((name) => name === 'teacher' || name === 'student');
    const parts = new Map<string, ReadonlyMap<string, Tensor>>();
    let encoder: KnownEncoder | undefined;
    for (const network of networks.length > 0 ? networks : (['teacher'] as const)) {
      const read = readState(file.state(network, hints.key), { heads: file.heads, ...hints });
      for (const tensor of read.state.values()) made.add(tensor);
      encoder = read.encoder;
      if (wanted.includes(network)) parts.set(network, read.state);
    }
    // Decoders, heads and optimisers are not needed any more.
    const kept = new Set([...parts.values()].flatMap((part) => [...part.values()]));
    for (const tensor of made) if (!kept.has(tensor)) tensor.dispose();
    return { encoder: encoder!, parts };
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}

/** What encoder a state dict is of, and its weights below `backbone.` in our names. */
function readState(state: ReadonlyMap<string, Tensor>, hints: PublishedHints) {
  if ([...state.keys()].some((name) => name.includes('.residual1.fn.'))) {
    const ours = fromPublishedCapi(state);
    return { encoder: { kind: 'encoder-predictor', ...capiOptionsFromShapes(ours) } as const, state: ours };
  }
  const published = readPublishedVit(withoutPrefixes(state), hints);
  const named = [...published.state].map(([name, tensor]) => [`backbone.${name}`, tensor] as const);
  return { encoder: { kind: 'vit', ...published.options } as const, state: new Map(named) };
}
