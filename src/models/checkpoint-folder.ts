import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { CheckpointError } from '../support/errors.js';
import { readSafetensors } from '../tensor/safetensors.js';
import type { Tensor } from '../tensor/tensor.js';

/** Raised when the layout changes; readers refuse versions they do not know. */
export const CHECKPOINT_VERSION = 1;

const manifestSchema = z.strictObject({
  format: z.literal('tessera-checkpoint'),
  version: z.literal(CHECKPOINT_VERSION),
  method: z.string(),
  /** Steps done, and samples that they took. */
  step: z.int().min(0),
  samples: z.int().min(0),
  /** How to build the encoder whose weights are in `student` and `teacher` below `backbone.`. */
  encoder: z.looseObject({ kind: z.string() }),
  /** Fingerprint of the data set. */
  data: z.string(),
  /** What the losses depend on besides the state: engine version, threads, device. */
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  files: z.record(z.string(), z.strictObject({ bytes: z.int(), sha256: z.string() })),
});

export type CheckpointManifest = z.output<typeof manifestSchema>;

/** Size and SHA-256 of a file. */
export async function measureFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = createReadStream(path);
  stream.on('data', (chunk) => {
    bytes += chunk.length;
  });
  await pipeline(stream, hash);
  return { bytes, sha256: hash.digest('hex') };
}

/** The manifest of a checkpoint folder. @throws {CheckpointError} it is missing, unreadable or of another version. */
export function readManifest(folder: string): CheckpointManifest {
  const path = join(folder, 'manifest.json');
  if (!existsSync(path)) {
    throw new CheckpointError(`Expected a checkpoint at ${folder}, found no manifest.json.`, {
      hint: 'Give a folder such as runs/first/checkpoints/step-1000.',
    });
  }
  const problem = (reason: string, cause?: unknown) =>
    new CheckpointError(`The checkpoint ${folder} cannot be read: ${reason}.`, {
      hint: 'Delete that folder and resume from an earlier checkpoint.',
      cause,
    });
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw problem('its manifest.json is not JSON', cause);
  }
  const version = (json as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version !== CHECKPOINT_VERSION) {
    throw problem(`it has format version ${version}, this Tessera reads version ${CHECKPOINT_VERSION}`);
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw problem(`its manifest is incomplete (${z.prettifyError(parsed.error).split('\n')[0]})`);
  return parsed.data;
}

/**
 * The tensors of one part of a checkpoint (`student`, `teacher`, …), the caller's, after checking its hash.
 * @throws {CheckpointError} the part is missing or damaged.
 */
export async function readPart(
  folder: string,
  manifest: CheckpointManifest,
  name: string,
): Promise<Map<string, Tensor>> {
  const file = `${name}.safetensors`;
  const expected = manifest.files[file];
  if (expected === undefined) {
    const parts = Object.keys(manifest.files).map((path) => path.replace('.safetensors', ''));
    throw new CheckpointError(`Expected the part "${name}" in ${folder}, found ${parts.join(', ')}.`);
  }
  const path = join(folder, file);
  const damaged = (reason: string, cause?: unknown) =>
    new CheckpointError(`The checkpoint file ${path} is damaged: ${reason}.`, {
      hint: 'Delete that checkpoint folder; the one before it is used then.',
      cause,
    });
  const found = await measureFile(path).catch((cause: Error) => {
    throw damaged(cause.message, cause);
  });
  if (found.bytes !== expected.bytes) throw damaged(`expected ${expected.bytes} bytes, found ${found.bytes}`);
  if (found.sha256 !== expected.sha256) throw damaged('its content differs from what was written');
  return readSafetensors(path);
}
