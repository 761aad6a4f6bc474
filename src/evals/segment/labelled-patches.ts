// N images · R patches of all images, image by image · A pixels of a patch · D width
import { UsageError } from '../../support/errors.js';
import { legacyPermutation } from '../../support/numpy-random.js';
import { Random } from '../../support/random.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { ScalerName } from '../measure/scaler-names.js';
import { fitScaler, type Scaler } from '../measure/scalers.js';
import { modalLabels } from './label-blocks.js';

/** Separates these random numbers from those of other users of the same seed: "cap ". */
const CAP_STREAM = 0x63617020;

/** Patches of labelled images. */
export interface LabelledPatches {
  readonly images: number;
  /** (R, D) float32 on the CPU. */
  readonly patches_RD: Tensor;
  /** (R, A) class ids of the pixels. */
  readonly blocks: Uint8Array;
}

/** What both published classifiers of patches take. */
export interface PatchSettings {
  /** Fitted to the training images (without the tenth that a search judges on), applied to all. */
  readonly scaler: ScalerName;
  /** Training patches that are used at most; more are sampled down. Infinity keeps all. */
  readonly maxTrainPatches: number;
  /** Labels that do not count. */
  readonly ignored: ReadonlySet<number>;
  readonly seed: number;
}

/** Pixels of a patch. */
export function areaOf({ blocks, patches_RD }: LabelledPatches): number {
  return blocks.length / patches_RD.size(0);
}

/** Images to judge settings on and the others, by their places. */
export interface Split {
  readonly validation: readonly number[];
  readonly training: readonly number[];
}

/**
 * The published tenth of the training images: the first of NumPy's permutation.
 *
 * @throws {UsageError} there are fewer than 10 images.
 */
export function splitOffTenth(images: number, seed: number): Split {
  const count = Math.floor(images / 10);
  if (count === 0) {
    throw new UsageError(`A search on a tenth of the training images needs 10 or more, received ${images}.`, {
      hint: 'Give the settings instead, or more images.',
    });
  }
  const order = [...legacyPermutation(images, seed)];
  return { validation: order.slice(0, count), training: order.slice(count).sort((a, b) => a - b) };
}

/** Rows of all patches of some images, in ascending order. */
export function rowsOfImages({ images, patches_RD }: LabelledPatches, chosen: readonly number[]): Int32Array {
  const perImage = patches_RD.size(0) / images;
  const rows = new Int32Array(chosen.length * perImage);
  Int32Array.from(chosen)
    .sort()
    .forEach((image, i) => {
      for (let patch = 0; patch < perImage; patch++) rows[i * perImage + patch] = image * perImage + patch;
    });
  return rows;
}

/** Rows of `area` bytes. */
export function pickBlocks(blocks: Uint8Array, rows: Iterable<number> & ArrayLike<number>, area: number): Uint8Array {
  const picked = new Uint8Array(rows.length * area);
  let at = 0;
  for (const row of rows) picked.set(blocks.subarray(row * area, (row + 1) * area), area * at++);
  return picked;
}

/** The scaler of some images, which the caller disposes of; nothing for `none`. */
export function fitToImages(patches: LabelledPatches, images: readonly number[], name: ScalerName): Scaler | undefined {
  const all_ND = patches.patches_RD;
  if (name === 'none') return undefined;
  return fitScaler(
    name,
    images.length === patches.images ? { all_ND } : { all_ND, indices: rowsOfImages(patches, images) },
  );
}

/** Patches to fit to. */
export interface FittingRows {
  /** Ascending. */
  readonly rows: Int32Array;
  /** The modal label of each. */
  readonly labels: Uint8Array;
  /** How many there were before sampling. */
  readonly candidates: number;
}

/**
 * The patches of some images whose modal label is not ignored, sampled down to the limit.
 *
 * @throws {UsageError} there are none.
 */
export function fittingRows(
  patches: LabelledPatches,
  images: readonly number[],
  { ignored, maxTrainPatches, seed }: PatchSettings,
): FittingRows {
  const modal = modalLabels(patches.blocks, areaOf(patches));
  const kept = rowsOfImages(patches, images).filter((row) => !ignored.has(modal[row]!));
  if (kept.length === 0) throw new UsageError('Every training patch has an ignored label: nothing is left to fit to.');
  const random = Random.from(seed, CAP_STREAM);
  const limit = maxTrainPatches;
  const rows = kept.length > limit ? random.shuffle(kept.slice(), limit).slice(0, limit).sort() : kept;
  return { rows, labels: Uint8Array.from(rows, (row) => modal[row]!), candidates: kept.length };
}
