/** In percent. */
export type SegmentationMetrics = { readonly miou: number; readonly pixelAccuracy: number };

/** Pixels of one image by class, for the classes that occur: where truth and prediction agree, and how many of each. */
export interface PixelCounts {
  readonly classes: Uint8Array;
  readonly both: Uint32Array;
  readonly truth: Uint32Array;
  readonly predicted: Uint32Array;
}

/** Counts the pixels of one image whose true class is not ignored. Both arrays hold the pixels in the same order. */
export function countPixels(truth: Uint8Array, predicted: Uint8Array, ignored: ReadonlySet<number>): PixelCounts {
  const [both, ofTruth, ofPredicted] = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)];
  const skip = Uint8Array.from({ length: 256 }, (_, label) => (ignored.has(label) ? 1 : 0));
  for (let i = 0; i < truth.length; i++) {
    const [t, p] = [truth[i]!, predicted[i]!];
    if (skip[t] === 1) continue;
    ofTruth[t]!++;
    ofPredicted[p]!++;
    if (t === p) both[t]!++;
  }
  const classes = Uint8Array.from([...ofTruth.keys()].filter((c) => ofTruth[c]! + ofPredicted[c]! > 0));
  const some = (counts: Uint32Array) => Uint32Array.from(classes, (c) => counts[c]!);
  return { classes, both: some(both), truth: some(ofTruth), predicted: some(ofPredicted) };
}

/**
 * Counts the pixels of every image where all pixels of a patch are predicted alike.
 * @param blocks (patches, pixels of a patch) true classes, image by image
 * @param predicted the class of each patch
 */
export function countPatches(
  blocks: Uint8Array,
  predicted: Uint8Array,
  images: number,
  ignored: ReadonlySet<number>,
): PixelCounts[] {
  const area = blocks.length / predicted.length;
  const labels = new Uint8Array(blocks.length);
  for (const [patch, label] of predicted.entries()) labels.fill(label, patch * area, (patch + 1) * area);
  const pixels = blocks.length / images;
  return Array.from({ length: images }, (_, image) => {
    const [from, to] = [image * pixels, (image + 1) * pixels];
    return countPixels(blocks.subarray(from, to), labels.subarray(from, to), ignored);
  });
}

/**
 * Mean over classes of intersection over union, and the share of pixels that are right, of all pixels together. A class
 * counts when it occurs in the truth or in the prediction: one that is only predicted, also an ignored one, has 0.
 * Source: CAPI eval_segmentation.py (scikit-learn's `jaccard_score`, macro).
 *
 * @param weights how often each image counts (once)
 */
export function segmentationMetrics(images: readonly PixelCounts[], weights?: Uint32Array): SegmentationMetrics {
  const [both, truth, predicted] = [new Float64Array(256), new Float64Array(256), new Float64Array(256)];
  images.forEach((image, i) => {
    const weight = weights?.[i] ?? 1;
    if (weight === 0) return;
    image.classes.forEach((c, at) => {
      both[c]! += weight * image.both[at]!;
      truth[c]! += weight * image.truth[at]!;
      predicted[c]! += weight * image.predicted[at]!;
    });
  });
  let [classes, shares, right, pixels] = [0, 0, 0, 0];
  for (let c = 0; c < 256; c++) {
    const union = truth[c]! + predicted[c]! - both[c]!;
    if (union > 0) {
      classes++;
      shares += both[c]! / union;
    }
    right += both[c]!;
    pixels += truth[c]!;
  }
  return { miou: (100 * shares) / classes, pixelAccuracy: (100 * right) / pixels };
}

/** The first of the best. */
export function bestOf<Score extends { readonly miou: number }>(scores: readonly Score[]): Score {
  return scores.reduce((best, next) => (next.miou > best.miou ? next : best));
}
