// N images · R patches of all images, image by image · T training patches that vote · A pixels of a patch · D width
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { type Distance, nearestNeighbours } from '../knn/nearest-neighbours.js';
import { pickRows } from '../measure/row-chunks.js';
import { type Scaler, scaleRows } from '../measure/scalers.js';
import { voteLabels } from './label-blocks.js';
import {
  areaOf,
  fitToImages,
  fittingRows,
  type LabelledPatches,
  type PatchSettings,
  pickBlocks,
  rowsOfImages,
  type Split,
  splitOffTenth,
} from './labelled-patches.js';
import { bestOf, countPixels, type PixelCounts, segmentationMetrics } from './segmentation-metrics.js';

/** Test patches whose neighbours are held at once. */
const GROUP = 16384;

/** How many neighbours vote, and how near is measured. */
export interface NeighbourChoice {
  readonly k: number;
  readonly distance: Distance;
}

/** The published grid. */
const GRID = { k: [1, 3, 10, 30], distance: ['cosine', 'L2'] } as const;

export interface SegmentKnnSettings extends PatchSettings {
  /** Fixed, or the best of k 1, 3, 10, 30 and both distances on a tenth of the training images. */
  readonly choice: NeighbourChoice | 'search';
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
  const all = [...Array(train.images).keys()];
  const split = settings.choice === 'search' ? splitOffTenth(train.images, settings.seed) : undefined;
  return scope(() => {
    const scaler = fitToImages(train, split?.training ?? all, settings.scaler);
    const search = split && searchNeighbours(train, split, settings, scaler);
    const { k, distance } = settings.choice === 'search' ? bestOf(search!) : settings.choice;
    const support = makeSupport(train, all, settings, scaler);
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
  /** What the rows were scaled with. */
  readonly scaler: Scaler | undefined;
}

/** The published grid (k outer) scored on the validation images by the other ones; all scaled with `scaler`, if given. */
export function searchNeighbours(
  train: LabelledPatches,
  split: Split,
  settings: SegmentKnnSettings,
  scaler?: Scaler,
): NeighbourScore[] {
  return scope(() => {
    const support = makeSupport(train, split.training, settings, scaler);
    const rows = rowsOfImages(train, split.validation);
    const blocks = pickBlocks(train.blocks, rows, areaOf(train));
    const held = {
      images: split.validation.length,
      patches_RD: pickRows({ all_ND: train.patches_RD, indices: rows }),
      blocks,
    };
    const scores = GRID.distance.map((distance) =>
      countTestPixels(support, held, distance, GRID.k, settings).map((counts) => segmentationMetrics(counts).miou),
    );
    return GRID.k.flatMap((k, i) => GRID.distance.map((distance, j) => ({ k, distance, miou: scores[j]![i]! })));
  });
}

function makeSupport(
  train: LabelledPatches,
  images: readonly number[],
  settings: SegmentKnnSettings,
  scaler: Scaler | undefined,
): Support {
  const { rows, candidates } = fittingRows(train, images, settings);
  const rows_TD = scaleRows({ all_ND: train.patches_RD, indices: rows }, scaler);
  return { rows_TD, blocks: pickBlocks(train.blocks, rows, areaOf(train)), candidates, scaler };
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
      const all_ND = ops.narrow(test.patches_RD, 0, image * perImage, images * perImage);
      const queries = scaleRows({ all_ND }, support.scaler);
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
