// R patches of all images · A pixels of a patch · D width

import type { Tensor } from '../../tensor/tensor.js';
import { type LogisticFit, LogisticRegression, predictClasses } from '../logistic/logistic-regression.js';
import { type Scaler, scaleRows } from '../measure/scalers.js';
import {
  areaOf,
  fitToImages,
  fittingRows,
  type LabelledPatches,
  type PatchSettings,
  pickBlocks,
  rowsOfImages,
  splitOffTenth,
} from './labelled-patches.js';
import { bestOf, countPatches, type PixelCounts, segmentationMetrics } from './segmentation-metrics.js';

/** The published grid of inverse strengths of the penalty: 10 to the powers from -6 to 5, in 8 steps. */
const STRENGTHS = Array.from({ length: 8 }, (_, i) => 10 ** (-6 + (11 * i) / 7));

export interface SegmentRegressionSettings extends PatchSettings {
  /** Inverse strength of the penalty (C), or the best of the published grid on a tenth of the training images. */
  readonly strength: number | 'search';
  /** Called after each of the fits. */
  readonly onFit?: (done: number, total: number) => void;
}

/** What a strength reaches on the tenth: mIoU in percent. */
export interface StrengthScore {
  readonly strength: number;
  readonly miou: number;
}

export interface SegmentRegressionResult {
  readonly strength: number;
  /** What the strength was chosen from. */
  readonly search?: readonly StrengthScore[];
  /** Of the last fit. */
  readonly fit: LogisticFit;
  /** Training patches that were fitted to, and those without an ignored label that they were sampled from. */
  readonly used: number;
  readonly candidates: number;
  /** Pixels of each test image. */
  readonly counts: readonly PixelCounts[];
}

/**
 * CAPI's segmentation by logistic regression: the target of a training patch is its most frequent label, patches where this
 * is an ignored one are dropped, and every pixel of a test patch gets the patch's class. Source: CAPI eval_segmentation.py
 * (reference section 7.1), which has no limit on training patches and whose L-BFGS remembers 5 steps.
 *
 * @throws {UsageError} a search with fewer than 10 training images; fewer than two classes.
 */
export async function segmentByRegression(
  train: LabelledPatches,
  test: LabelledPatches,
  settings: SegmentRegressionSettings,
): Promise<SegmentRegressionResult> {
  const { onFit } = settings;
  const all = [...Array(train.images).keys()];
  const split = settings.strength === 'search' ? splitOffTenth(train.images, settings.seed) : undefined;
  const scaler = fitToImages(train, split?.training ?? all, settings.scaler);
  const total = split ? STRENGTHS.length + 1 : 1;
  const search: StrengthScore[] = [];
  if (split) {
    using fitter = new PatchFitter(train, split.training, settings, scaler);
    const rows = rowsOfImages(train, split.validation);
    let fit: LogisticFit | undefined;
    for (const strength of STRENGTHS) {
      fit = fitter.fit(strength, fit);
      const counts = fitter.countPixels(fit, train, rows);
      search.push({ strength, miou: segmentationMetrics(counts).miou });
      onFit?.(search.length, total);
      // A fit can take long: timers and signals have their turn.
      await new Promise(setImmediate);
    }
  }
  const strength = settings.strength === 'search' ? bestOf(search).strength : settings.strength;
  using fitter = new PatchFitter(train, all, settings, scaler);
  const fit = fitter.fit(strength);
  onFit?.(total, total);
  return {
    strength,
    ...(split && { search }),
    fit,
    used: fitter.used,
    candidates: fitter.candidates,
    counts: fitter.countPixels(fit, test),
  };
}

/** Fits to the patches of some images, and predicts others. */
class PatchFitter {
  readonly used: number;
  readonly candidates: number;
  /** Labels of the classes, ascending. */
  readonly #names: Uint8Array;
  readonly #settings: PatchSettings;
  readonly #scaler: Scaler | undefined;
  readonly #rows_ND: Tensor;
  readonly #regression: LogisticRegression;

  constructor(train: LabelledPatches, images: readonly number[], settings: PatchSettings, scaler: Scaler | undefined) {
    const { rows, labels, candidates } = fittingRows(train, images, settings);
    this.used = rows.length;
    this.candidates = candidates;
    this.#settings = settings;
    this.#scaler = scaler;
    this.#names = Uint8Array.from(new Set(labels)).sort();
    const targets = Int32Array.from(labels, (label) => this.#names.indexOf(label));
    this.#rows_ND = scaleRows({ all_ND: train.patches_RD, indices: rows }, scaler);
    const classes = this.#names.length;
    this.#regression = new LogisticRegression({ all_ND: this.#rows_ND }, targets, { classes, intercept: true });
  }

  fit(strength: number, start?: LogisticFit): LogisticFit {
    return this.#regression.fit(strength, start);
  }

  /** Counts the pixels of every image; `rows` are those of whole images, all of them unless given. */
  countPixels(fit: LogisticFit, patches: LabelledPatches, rows?: Int32Array): PixelCounts[] {
    using rows_ND = scaleRows({ all_ND: patches.patches_RD, indices: rows }, this.#scaler);
    const perImage = patches.patches_RD.size(0) / patches.images;
    const predicted = Uint8Array.from(predictClasses(fit, { all_ND: rows_ND }), (place) => this.#names[place]!);
    const blocks = rows ? pickBlocks(patches.blocks, rows, areaOf(patches)) : patches.blocks;
    return countPatches(blocks, predicted, predicted.length / perImage, this.#settings.ignored);
  }

  [Symbol.dispose](): void {
    this.#regression[Symbol.dispose]();
    this.#rows_ND.dispose();
  }
}
