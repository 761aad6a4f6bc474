// B images · P patches of an image · D width
import type { BlockFeatures, Embedding } from '../models/encoder.js';
import { TesseraError, UsageError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';

/** Which features of an image: its global vector, class token, the mean of its registers or patches, or every patch. */
export type FeatureKind = 'global' | 'class' | 'registers' | 'patchMean' | 'patches';
/** What a block has of these. */
export type BlockKind = Exclude<FeatureKind, 'global' | 'registers'>;

/** One kind of features of an encoder's output or, before any norm that follows it, of one of its blocks. */
export interface FeaturePart {
  readonly kind: FeatureKind;
  /** Counted from 0; the encoder's output unless given. */
  readonly block?: number;
}

/** Blocks whose features are wanted, and which of these. */
export interface BlockRequest {
  /** Counted from 0. */
  readonly of: readonly number[];
  /** At least one. */
  readonly kinds: readonly BlockKind[];
}

/** `patches`, `class of block 3`. */
export function partName({ kind, block }: FeaturePart): string {
  return block === undefined ? kind : `${kind} of block ${block}`;
}

/** What is asked for, part by part. */
export function partsOf(kinds: readonly FeatureKind[], blocks?: BlockRequest): FeaturePart[] {
  const ofBlocks = blocks?.of.flatMap((block) => blocks.kinds.map((kind) => ({ kind, block })));
  return [...kinds.map((kind) => ({ kind })), ...(ofBlocks ?? [])];
}

/**
 * A part of an embedding as float32 on the CPU: (B, D), or (B, P, D) with patches row by row.
 * @param near name of an image of the batch, for errors
 * @throws {UsageError} the encoder has no class token, or no registers. @throws {TesseraError} `NOT_FINITE`
 */
export function takePart(part: FeaturePart, embedding: Embedding, near: string): Tensor {
  return scope(() => {
    const taken = ops.toDevice(takeFrom(sourceOf(part, embedding), part.kind), 'cpu', 'float32');
    if (ops.all(ops.isfinite(taken)).item() !== 0) return taken;
    throw new TesseraError(
      'NOT_FINITE',
      `The encoder gives numbers that are not finite (${partName(part)}), near the image ${near}.`,
      {
        hint: 'Its training has diverged or its file is damaged; use an earlier checkpoint.',
      },
    );
  });
}

/** Numbers of a part for one image. */
export function partSize(part: FeaturePart, embedding: Embedding): number {
  const { kind } = part;
  if (kind === 'global') return embedding.global_BD.size(1);
  const [, rows, columns, width] = sourceOf(part, embedding).patches_BYXD.shape as [number, number, number, number];
  return kind === 'patches' ? rows * columns * width : width;
}

function sourceOf({ block }: FeaturePart, embedding: Embedding): Embedding | BlockFeatures {
  return block === undefined ? embedding : embedding.blocks!.get(block)!;
}

function takeFrom(source: Embedding | BlockFeatures, kind: FeatureKind): Tensor {
  if (kind === 'global') return (source as Embedding).global_BD;
  if (kind === 'class') return source.class_BD ?? lacking('The class token is');
  if (kind === 'registers') {
    const { registers_BRD } = source as Embedding;
    return registers_BRD.size(1) > 0 ? ops.meanDim(ops.to(registers_BRD, 'float32'), [1]) : lacking('Registers are');
  }
  const patches_BPD = ops.to(ops.flatten(source.patches_BYXD, 1, 2), 'float32');
  return kind === 'patches' ? patches_BPD : ops.meanDim(patches_BPD, [1]);
}

function lacking(what: string): never {
  throw new UsageError(`${what} asked for, and this encoder has none.`, {
    hint: 'Use the mean of the patches or the global vector instead.',
  });
}
