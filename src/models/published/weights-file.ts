import { CheckpointError, UsageError } from '../../support/errors.js';
import { suggestion } from '../../support/nearest-name.js';
import { readSafetensors } from '../../tensor/safetensors.js';
import { Tensor } from '../../tensor/tensor.js';
import { readTorchFile } from '../torch-file/read-torch-file.js';
import { flattenState, type TorchValue } from '../torch-file/torch-value.js';
import type { PublishedHints } from './read-published.js';

/** What is said behind the name of a file. */
export interface FileHints extends PublishedHints {
  /** Where in the file the state dict is, with dots between keys; the usual places are looked at by default. */
  readonly key?: string | undefined;
}

const hintNames = ['heads', 'family', 'key'];

/** Parts `weights.pth?heads=12` into file and hints. @throws {UsageError} a hint is unknown or no number. */
export function splitHints(source: string): { path: string; hints: FileHints } {
  const [, path = source, query = ''] = /^(.*)\?([^?]*)$/s.exec(source) ?? [];
  const given = new Map(new URLSearchParams(query));
  for (const name of given.keys()) {
    if (!hintNames.includes(name))
      throw new UsageError(
        `Expected ${hintNames.join(', ')} behind the ? of ${source}, received ${name}${suggestion(name, hintNames)}`,
      );
  }
  const heads = given.get('heads');
  if (heads !== undefined && !/^[1-9]\d{0,3}$/.test(heads))
    throw new UsageError(
      `Expected a number of attention heads behind the ? of ${source}, received ${heads || 'nothing'}.`,
    );
  const hints = { family: given.get('family'), key: given.get('key'), ...(heads && { heads: Number(heads) }) };
  return { path, hints };
}

/** A file with weights in memory. */
export interface WeightsFile {
  /** All tensors, the caller's. */
  readonly tensors: readonly Tensor[];
  /** Number of attention heads, where the file tells (MIM-Refiner's training checkpoints). */
  readonly heads: number | undefined;
  /** The state dict of the trained network or its average, borrowed. @throws {CheckpointError} there is none. */
  state(network: 'student' | 'teacher', key?: string): Map<string, Tensor>;
}

/** Opens a `.safetensors`, `.pth`, `.pt` or `.th` file. @throws {CheckpointError} it cannot be read. */
export async function openWeightsFile(path: string): Promise<WeightsFile> {
  if (path.toLowerCase().endsWith('.safetensors')) {
    const state = readSafetensors(path);
    return { tensors: [...state.values()], heads: undefined, state: () => new Map(state) };
  }
  const { value, tensors } = await readTorchFile(path);
  return {
    tensors,
    heads: headsIn(value),
    state: (network, key) => {
      const state = flattenState(key === undefined ? unwrapped(value, network) : below(value, key, path));
      if (state.size > 0) return state;
      throw new CheckpointError(`Expected a state dict with tensors in ${path}, found none.`, {
        hint: 'Save the state dict only: torch.save(model.state_dict(), path).',
      });
    },
  };
}

/** Where training scripts put state dicts: any network's, then the average's and the trained one's. */
const places = ['state_dict', 'model', 'module'];
const networkPlaces = {
  teacher: ['teacher', 'target_encoder', 'student', 'encoder'],
  student: ['student', 'encoder', 'teacher', 'target_encoder'],
};

function unwrapped(value: TorchValue, network: 'student' | 'teacher'): TorchValue {
  let inner = value;
  for (let depth = 0; depth < 4 && inner instanceof Map; depth++) {
    const map = inner;
    if ([...map.values()].some((entry) => entry instanceof Tensor)) break;
    const key = [...places, ...networkPlaces[network]].find((name) => map.get(name) instanceof Map);
    if (key === undefined) break;
    inner = map.get(key)!;
  }
  return inner;
}

function below(value: TorchValue, key: string, path: string): TorchValue {
  let inner = value;
  for (const part of key.split('.')) {
    const next = inner instanceof Map ? inner.get(part) : undefined;
    if (next === undefined) {
      const there = inner instanceof Map ? [...inner.keys()].slice(0, 8).join(', ') : 'no dictionary';
      throw new UsageError(`Expected ${key} in ${path}, found no "${part}" among ${there}.`);
    }
    inner = next;
  }
  return inner;
}

/** MIM-Refiner keeps the arguments of its models beside their weights. */
function headsIn(value: TorchValue): number | undefined {
  const options = value instanceof Map ? value.get('ctor_kwargs') : undefined;
  const heads = options instanceof Map ? options.get('num_attn_heads') : undefined;
  return typeof heads === 'number' && Number.isSafeInteger(heads) && heads > 0 ? heads : undefined;
}

/**
 * Names without what wrappers put before them: `module.` or `model.` before all, and `backbone.` before some, beside the
 * heads of the training.
 */
export function withoutPrefixes(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  let names = [...state.keys()];
  for (const prefix of ['module.', 'model.', 'module.']) {
    if (names.every((name) => name.startsWith(prefix))) names = names.map((name) => name.slice(prefix.length));
  }
  names = names.map((name) => (name.startsWith('backbone.') ? name.slice('backbone.'.length) : name));
  return new Map([...state.values()].map((tensor, index) => [names[index]!, tensor]));
}
