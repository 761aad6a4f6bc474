import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CHECKPOINT_VERSION,
  type CheckpointManifest,
  measureFile,
  readManifest,
  readPart,
} from '../models/checkpoint-folder.js';
import type { RunFolder } from '../runs/run-folder.js';
import { writeFolderAtomic } from '../support/atomic-file.js';
import { CheckpointError } from '../support/errors.js';
import { writeSafetensors } from '../tensor/safetensors.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import type { Method, MethodState } from './method.js';

const OPTIMIZER = 'optimizer-';

/** What a checkpoint says of itself beyond the method's state. */
export type CheckpointFacts = Pick<CheckpointManifest, 'step' | 'samples' | 'data' | 'machine'>;

/** What a checkpoint takes from a method. */
export type Checkpointed = Pick<Method<unknown>, 'name' | 'state' | 'optimizers' | 'encoderDescription'>;

/**
 * Saves a method's state and its optimisers' moments, complete or not at all, and returns the bytes written.
 * @param name of the folder inside `checkpoints/`; `step-N` unless the state is kept for inspection only
 * @throws {TesseraError} STORAGE: the disk is full or not writable; earlier checkpoints stay as they are
 */
export async function saveCheckpoint(
  run: RunFolder,
  method: Checkpointed,
  facts: CheckpointFacts,
  name = `step-${facts.step}`,
): Promise<number> {
  let bytes = 0;
  await writeFolderAtomic(join(run.checkpoints, name), async (folder) => {
    const files: CheckpointManifest['files'] = {};
    for (const path of writeState(folder, method)) {
      files[path] = await measureFile(join(folder, path));
      bytes += files[path].bytes;
    }
    const manifest: CheckpointManifest = {
      format: 'tessera-checkpoint',
      version: CHECKPOINT_VERSION,
      method: method.name,
      encoder: method.encoderDescription,
      ...facts,
      files,
    };
    writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  });
  return bytes;
}

function writeState(folder: string, method: Checkpointed): string[] {
  return scope(() => {
    const parts = new Map(method.state());
    for (const [name, { optimizer }] of Object.entries(method.optimizers))
      parts.set(OPTIMIZER + name, optimizer.state());
    return [...parts].map(([name, tensors]) => {
      writeSafetensors(join(folder, `${name}.safetensors`), tensors);
      return `${name}.safetensors`;
    });
  });
}

/** Puts a checkpoint's state into a method and its optimisers. @throws {CheckpointError} it is damaged or does not fit. */
export async function restoreCheckpoint(folder: string, method: Method<unknown>): Promise<CheckpointManifest> {
  const manifest = readManifest(folder);
  if (manifest.method !== method.name) {
    throw new CheckpointError(`Expected a ${method.name} checkpoint, ${folder} is one of ${manifest.method}.`);
  }
  const names = Object.keys(manifest.files).map((file) => file.replace(/\.safetensors$/, ''));
  const parts = new Map<string, Map<string, Tensor>>();
  for (const name of names) parts.set(name, await readPart(folder, manifest, name));
  try {
    const state: MethodState = new Map([...parts].filter(([name]) => !name.startsWith(OPTIMIZER)));
    method.restore(state);
    for (const [name, { optimizer }] of Object.entries(method.optimizers)) {
      const moments = parts.get(OPTIMIZER + name);
      if (moments === undefined)
        throw new CheckpointError(`Expected ${OPTIMIZER}${name} in ${folder}, found ${names.join(', ')}.`);
      optimizer.restore(moments);
    }
  } finally {
    for (const part of parts.values()) for (const tensor of part.values()) tensor.dispose();
  }
  return manifest;
}

/** Deletes the oldest checkpoints but for the newest `keep`. */
export async function pruneCheckpoints(run: RunFolder, keep: number): Promise<void> {
  for (const { path } of run.listCheckpoints().slice(0, -keep)) await rm(path, { recursive: true, force: true });
}
