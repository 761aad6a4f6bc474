// N images · S patches of all images of a batch · P patches of an image · K clusters
import type { Dataset } from '../data/dataset.js';
import type { Raster } from '../data/resample.js';
import type { View } from '../data/views.js';
import type { ImageEncoder } from '../models/encoder.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { type EmbedPicturesOptions, patchFeatures } from './embed-pictures.js';
import { streamSamples } from './sample-images.js';

/** Patches along a side of the pictures of examples. */
const SURROUNDINGS = 7;

/** Gives the scores (S, K) of patch features (S, D): a patch belongs to the cluster that it scores highest at. */
export type ClusterScores = (features_SD: Tensor) => Tensor;

/** The cluster of every patch of some images, row by row, and how well it fits. */
export interface PatchClusters {
  readonly clusters: Int32Array;
  readonly scores: Float32Array;
  /** Patches of an image along each axis. */
  readonly side: number;
}

/** Clusters of the patches of pictures of one size; of equal scores the lowest number counts. */
export function patchClusters(
  pictures: readonly Raster[],
  encoder: ImageEncoder,
  scoresOf: ClusterScores,
  options: EmbedPicturesOptions,
): PatchClusters {
  return scope(() => {
    const features_NYXD = patchFeatures(pictures, encoder, options);
    const scores_SK = ops.toDevice(scoresOf(ops.flatten(features_NYXD, 0, 2)), 'cpu', 'float32');
    const clusters_S = ops.argmax(scores_SK, 1);
    const best_S1 = ops.gather(scores_SK, 1, ops.unsqueeze(clusters_S, 1));
    return {
      clusters: Int32Array.from(clusters_S.data() as BigInt64Array, Number),
      scores: best_S1.data() as Float32Array,
      side: features_NYXD.size(1),
    };
  });
}

/** A patch that fits a cluster well, with the patches around it. */
interface Candidate {
  readonly image: number;
  readonly patch: number;
  readonly score: number;
}

/** A square part of an image, and where in it a patch is; in shares of its side. */
export interface PatchExample {
  readonly picture: Raster;
  readonly patch: { readonly left: number; readonly top: number; readonly side: number };
}

/** What a cluster is like in many images. */
export interface ClusterPortrait {
  readonly cluster: number;
  /** Share of all patches. */
  readonly share: number;
  /** Images in which it occurs. */
  readonly images: number;
  /** The patches that fit it best, each from another image. */
  readonly examples: readonly PatchExample[];
}

/** Which images are surveyed, and what is kept of them. */
export interface SurveyOptions extends EmbedPicturesOptions {
  readonly dataset: Dataset;
  readonly view: View;
  readonly encoder: ImageEncoder;
  readonly scoresOf: ClusterScores;
  /** Images to look at, spread evenly over the data set. */
  readonly images: number;
  /** Clusters to portray: the most frequent ones, first those that have enough examples. */
  readonly portraits: number;
  /** Examples of each. */
  readonly examples: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was found in many images. */
export interface ClusterSurvey {
  readonly images: number;
  /** Clusters that have patches, most frequent first; of equally frequent ones the lowest number. */
  readonly ranking: readonly number[];
  readonly portraits: readonly ClusterPortrait[];
}

/**
 * Counts the patches of clusters over a data set and cuts out those that fit best. Images stream through twice, the second
 * time without the encoder: memory is one batch and a few numbers for every cluster.
 *
 * @throws as `patchFeatures`, and DataError when too many images cannot be read.
 */
export async function surveyClusters(options: SurveyOptions): Promise<ClusterSurvey> {
  const { dataset, view, encoder, scoresOf } = options;
  const found = new Map<number, Occurrences>();
  const total = Math.min(options.images, dataset.size);
  let images = 0;
  let side = 0;
  for await (const batch of streamSamples(dataset, view, { count: options.images })) {
    const patches = patchClusters(
      batch.map(({ picture }) => picture),
      encoder,
      scoresOf,
      options,
    );
    side = patches.side;
    for (let i = 0; i < batch.length; i++) addImage(found, patches, i, images++, options.examples);
    options.onProgress?.(images, total);
  }
  const ranking = [...found]
    .sort(([a, { patches: m }], [b, { patches: n }]) => n - m || a - b)
    .map(([cluster]) => cluster);
  const inMany = ranking.filter((cluster) => found.get(cluster)!.images >= options.examples);
  const shown = [...new Set([...inMany, ...ranking])]
    .slice(0, options.portraits)
    .map((cluster) => ({ cluster, ...found.get(cluster)! }));
  const crops = await cutExamples(
    shown.flatMap(({ best }) => best),
    side,
    options,
  );
  const portraits = shown.map(({ cluster, patches, images: occursIn, best }) => ({
    cluster,
    share: patches / (images * side ** 2),
    images: occursIn,
    examples: best.map((candidate) => crops.get(candidate)!),
  }));
  return { images, ranking, portraits };
}

/** What is counted of a cluster. */
interface Occurrences {
  patches: number;
  images: number;
  best: Candidate[];
}

/** Counts the patches of one image of a batch; of each cluster the best patch is a candidate. */
function addImage(
  found: Map<number, Occurrences>,
  { clusters, scores, side }: PatchClusters,
  place: number,
  image: number,
  kept: number,
): void {
  const best = new Map<number, Candidate>();
  for (let patch = 0; patch < side ** 2; patch++) {
    const at = place * side ** 2 + patch;
    const cluster = clusters[at]!;
    const seen = found.get(cluster) ?? { patches: 0, images: 0, best: [] };
    found.set(cluster, seen);
    seen.patches++;
    const score = scores[at]!;
    if (score > (best.get(cluster)?.score ?? Number.NEGATIVE_INFINITY)) best.set(cluster, { image, patch, score });
  }
  for (const [cluster, candidate] of best) {
    const seen = found.get(cluster)!;
    seen.images++;
    seen.best = [...seen.best, candidate].sort((a, b) => b.score - a.score || a.image - b.image).slice(0, kept);
  }
}

/** The pictures of candidates, from a second pass over the images that have any. */
async function cutExamples(
  candidates: readonly Candidate[],
  side: number,
  { dataset, view, images }: SurveyOptions,
): Promise<Map<Candidate, PatchExample>> {
  const crops = new Map<Candidate, PatchExample>();
  let image = 0;
  for await (const batch of streamSamples(dataset, view, { count: images })) {
    for (const { picture } of batch) {
      for (const candidate of candidates)
        if (candidate.image === image) crops.set(candidate, cutPatch(picture, candidate.patch, side));
      image++;
    }
  }
  return crops;
}

/** A patch with its surroundings: in the middle, unless it is near the edge of the picture. */
function cutPatch(picture: Raster, patch: number, side: number): PatchExample {
  const pixels = picture.width / side;
  const shown = Math.min(SURROUNDINGS, side);
  const begin = (at: number) => Math.min(side - shown, Math.max(0, at - Math.floor(shown / 2)));
  const [row, column] = [Math.floor(patch / side), patch % side];
  const [top, left] = [begin(row), begin(column)];
  const size = shown * pixels;
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const from = 3 * ((top * pixels + y) * picture.width + left * pixels);
    data.set(picture.data.subarray(from, from + 3 * size), y * size * 3);
  }
  const place = { left: (column - left) / shown, top: (row - top) / shown, side: 1 / shown };
  return { picture: { data, width: size, height: size }, patch: place };
}
