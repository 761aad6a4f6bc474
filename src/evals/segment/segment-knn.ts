// N images · R patches of all images, image by image · T training patches that vote · A pixels of a patch · D width
import { UsageError } from '../../support/errors.js';
import { legacyPermutation } from '../../support/numpy-random.js';
import { Random } from '../../support/random.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
import { type Distance, nearestNeighbours } from '../knn/nearest-neighbours.js';
import { fitScaler, type Scaler, standardise_, standardised } from '../measure/standardise.js';
import { modalLabels, voteLabels } from './label-blocks.js';
import { countPixels, type PixelCounts, segmentationMetrics } from './segmentation-metrics.js';

/** Separates these random numbers from those of other users of the same seed: "cap ". */
const CAP_STREAM = 0x63617020;
/** Test patches whose neighbours are held at once. */
const GROUP = 16384;

/** Patches of labelled images. */
export interface LabelledPatches {
  readonly images: number;
  /** (R, D) float32 on the CPU. */
  readonly patches_RD: Tensor;
  /** (R, A) class ids of the pixels. */
  readonly blocks: Uint8Array;
}

/** How many neighbours vote, and how near is measured. */
export interface NeighbourChoice {
  readonly k: number;
  readonly distance: Distance;
}

/** The published grid. */
const GRID = { k: [1, 3, 10, 30], distance: ['cosine', 'L2'] } as const;

export interface SegmentKnnSettings {
  /** Fixed, or the best of k 1, 3, 10, 30 and both distances on a tenth of the training images. */
  readonly choice: NeighbourChoice | 'search';
  /** Standardise the features with the statistics of the training images (without the tenth, in a search). */
  readonly standardise: boolean;
  /** Training patches that vote at most; more are sampled down. Infinity keeps all. */
  readonly maxTrainPatches: number;
  readonly ignored: ReadonlySet<number>;
  readonly seed: number;
  readonly device?: string;
}

/** What a choice reaches on the tenth: mIoU in percent. */
export type NeighbourScore = NeighbourChoice & { readonly miou: number };

export interface SegmentKnnResult {
  readonly choice: NeighbourChoice;
  /** What the choice was made from. */
  readonly search?: readonly NeighbourScore[];
  /** Training patches that voted, and those without an ignored label that they were sampled from. */
  readonly voters: number;
  readonly candidates: number;
  /** Pixels of each test image. */
  readonly counts: readonly PixelCounts[];
}

/**
 * CAPI's segmentation by nearest neighbours. Training patches whose modal label is ignored are dropped; each neighbour of
 * a test patch brings its whole label patch, and every pixel gets the most frequent label among them (which may be an
 * ignored one, for neighbours hold some ignored pixels). Source: CAPI eval_segmentation.py (reference section 7.1), which has no
 * limit on training patches.
 *
 * @throws {UsageError} a search with fewer than 10 training images; fewer voting patches than neighbours.
 */
export function segmentByNeighbours(
  train: LabelledPatches,
  test: LabelledPatches,
  settings: SegmentKnnSettings,
): SegmentKnnResult {
  const validation = settings.choice === 'search' ? validationImages(train.images, settings.seed) : [];
  const training = [...Array(train.images).keys()].filter((image) => !validation.includes(image));
  return scope(() => {
    const scaler = settings.standardise ? fitTo(train, training) : undefined;
    const search =
      settings.choice === 'search' ? searchNeighbours(train, training, validation, settings, scaler) : undefined;
    const { k, distance } = settings.choice === 'search' ? bestOf(search!) : settings.choice;
    const support = makeSupport(train, [...training, ...validation], settings, scaler);
    return {
      choice: { k, distance },
      ...(search && { search }),
      voters: support.rows_TD.size(0),
      candidates: support.candidates,
      counts: countTestPixels(support, test, distance, [k], settings)[0]!,
    };
  });
}

/** The patches that vote. */
interface Support {
  readonly rows_TD: Tensor;
  /** (T, A) */
  readonly blocks: Uint8Array;
  /** Patches without an ignored modal label, before sampling. */
  readonly candidates: number;
  /** What the rows were standardised with. */
  readonly scaler: Scaler | undefined;
}

function validationImages(images: number, seed: number): number[] {
  const count = Math.floor(images / 10);
  if (count === 0) {
    throw new UsageError(`A search for k and distance needs 10 training images or more, received ${images}.`, {
      hint: 'Give k and distance instead, or more images.',
    });
  }
  return [...legacyPermutation(images, seed).subarray(0, count)];
}

/**
 * The published grid (k outer) scored on `validation`, images of `train`, by the other images; all standardised with
 * `scaler`, where it is given.
 */
export function searchNeighbours(
  train: LabelledPatches,
  training: readonly number[],
  validation: readonly number[],
  settings: SegmentKnnSettings,
  scaler?: Scaler,
): NeighbourScore[] {
  return scope(() => {
    const support = makeSupport(train, training, settings, scaler);
    const area = areaOf(train);
    const rows = rowsOf(train, validation);
    const blocks = pickBlocks(train.blocks, rows, area);
    const held = { images: validation.length, patches_RD: pick(train.patches_RD, rows), blocks };
    const scores = GRID.distance.map((distance) =>
      countTestPixels(support, held, distance, GRID.k, settings).map((counts) => segmentationMetrics(counts).miou),
    );
    return GRID.k.flatMap((k, i) => GRID.distance.map((distance, j) => ({ k, distance, miou: scores[j]![i]! })));
  });
}

/** The first of the best. */
function bestOf(scores: readonly NeighbourScore[]): NeighbourScore {
  return scores.reduce((best, next) => (next.miou > best.miou ? next : best));
}

function fitTo(train: LabelledPatches, images: readonly number[]): Scaler {
  const whole = images.length === train.images;
  return scope(() => fitScaler(whole ? train.patches_RD : pick(train.patches_RD, rowsOf(train, images))));
}

function makeSupport(
  train: LabelledPatches,
  images: readonly number[],
  settings: SegmentKnnSettings,
  scaler: Scaler | undefined,
): Support {
  const area = areaOf(train);
  const modal = modalLabels(train.blocks, area);
  const kept = rowsOf(train, images).filter((row) => !settings.ignored.has(modal[row]!));
  const candidates = kept.length;
  if (candidates === 0)
    throw new UsageError('Every training patch has an ignored label: nothing is left to compare with.');
  const random = Random.from(settings.seed, CAP_STREAM);
  const limit = settings.maxTrainPatches;
  const rows = candidates > limit ? random.shuffle(kept, limit).slice(0, limit).sort() : kept;
  const rows_TD = pick(train.patches_RD, rows);
  if (scaler) standardise_(rows_TD, scaler);
  return { rows_TD, blocks: pickBlocks(train.blocks, rows, area), candidates, scaler };
}

/** Predicts the test patches, some images at a time, and counts the pixels of every image: one list for each of `ks`. */
function countTestPixels(
  support: Support,
  test: LabelledPatches,
  distance: Distance,
  ks: readonly number[],
  { ignored, device = 'cpu' }: SegmentKnnSettings,
): PixelCounts[][] {
  const perImage = test.patches_RD.size(0) / test.images;
  const area = areaOf(test);
  const step = Math.max(1, Math.floor(GROUP / perImage));
  const most = Math.max(...ks);
  const counts: PixelCounts[][] = ks.map(() => []);
  for (let image = 0; image < test.images; image += step) {
    const images = Math.min(step, test.images - image);
    const { indices } = scope(() => {
      const rows_RD = ops.narrow(test.patches_RD, 0, image * perImage, images * perImage);
      const queries = support.scaler ? standardised(rows_RD, support.scaler) : rows_RD;
      return nearestNeighbours(queries, support.rows_TD, { k: most, distance, device });
    });
    ks.forEach((k, at) => {
      const predicted = voteLabels(indices, most, k, support.blocks, area);
      const pixels = perImage * area;
      for (let i = 0; i < images; i++) {
        const truth = test.blocks.subarray((image + i) * pixels, (image + i + 1) * pixels);
        counts[at]!.push(countPixels(truth, predicted.subarray(i * pixels, (i + 1) * pixels), ignored));
      }
    });
  }
  return counts;
}

function areaOf(patches: LabelledPatches): number {
  return patches.blocks.length / patches.patches_RD.size(0);
}

/** Rows of all patches of some images, in ascending order. */
function rowsOf(train: LabelledPatches, images: readonly number[]): Int32Array {
  const perImage = train.patches_RD.size(0) / train.images;
  const rows = new Int32Array(images.length * perImage);
  Int32Array.from(images)
    .sort()
    .forEach((image, i) => {
      for (let patch = 0; patch < perImage; patch++) rows[i * perImage + patch] = image * perImage + patch;
    });
  return rows;
}

function pick(patches_RD: Tensor, rows: Int32Array): Tensor {
  return scope(() => ops.indexSelect(patches_RD, 0, Tensor.from(rows, [rows.length])));
}

function pickBlocks(blocks: Uint8Array, rows: Int32Array, area: number): Uint8Array {
  const picked = new Uint8Array(rows.length * area);
  rows.forEach((row, i) => {
    picked.set(blocks.subarray(row * area, (row + 1) * area), i * area);
  });
  return picked;
}
