import { kMeans } from '../../evals/cluster/k-means.js';
import { UsageError } from '../../support/errors.js';
import { Progress } from '../../support/progress.js';
import { scope } from '../../tensor/tensor.js';
import { clusterCentres, nearestCentre, unitFeatures } from '../../visualise/cluster-scores.js';
import { drawClusterSheet } from '../../visualise/cluster-sheet.js';
import { type ClusterScores, patchClusters, surveyClusters } from '../../visualise/cluster-survey.js';
import { collectPatches } from '../../visualise/collect-patches.js';
import type { EncoderPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { drawWithEncoder, type EncoderScene } from './draw-with-encoder.js';
import { openPrototypes } from './open-prototypes.js';

/** The checked options of `tessera visualise clusters`. */
export type VisualiseClustersOptions = EncoderPictureOptions & {
  /** k-means with as many clusters; unless given, the prototypes of a run that has them, else twelve. */
  readonly clusters: number | undefined;
  /** Images that clusters are looked for in. */
  readonly fit: number | undefined;
};

/** Clusters of patches, and where they are from. */
interface Clustering extends Disposable {
  readonly noun: 'prototype' | 'cluster';
  readonly count: number;
  readonly scoresOf: ClusterScores;
}

const DEFAULT_CLUSTERS = 12;
const DEFAULT_FIT = 64;
/** Patches that k-means sees at most: more change its centres little, and take seconds. */
const KMEANS_PATCHES = 8192;
const PORTRAITS = 8;
const EXAMPLES = 4;

/** `tessera visualise clusters`: JSON with `out`, `images`, `size`, `clusters`, `inUse` and, of a run, `report`. */
export function visualiseClusters(options: VisualiseClustersOptions): Promise<CommandResult> {
  const { fit = DEFAULT_FIT } = options;
  return drawWithEncoder(options, 8, async (scene) => {
    using clustering = (await prototypesOf(options)) ?? (await fitted(scene, options));
    const { noun, count, scoresOf } = clustering;
    const { encoder } = scene.model;
    using progress = new Progress(`${noun}s`, Math.min(fit, scene.dataset.size), { unit: 'images' });
    const survey = await surveyClusters({
      ...options,
      ...{ encoder, dataset: scene.dataset, view: scene.view, scoresOf },
      images: fit,
      portraits: PORTRAITS,
      examples: EXAMPLES,
      onProgress: (done) => progress.update(done),
    });
    progress.finish();
    const pictures = scene.images.map(({ picture }) => picture);
    const content = await drawClusterSheet({
      images: scene.images,
      patches: patchClusters(pictures, encoder, scoresOf, options),
      ...{ survey, noun, clusters: count },
      heading: `${noun === 'prototype' ? 'Prototypes' : `${count} clusters`} of ${scene.name} · ${scene.imagesText}`,
    });
    const what = noun === 'prototype' ? 'prototypes that the method trained with' : 'clusters by k-means';
    return {
      name: 'clusters',
      content,
      text: {
        title: noun === 'prototype' ? 'What the prototypes stand for' : 'Parts that look alike to the encoder',
        caption: `Every patch has the colour of the one of ${count} ${what} that it is closest to. Parts of one kind should have one colour in all images; a colour that marks places instead of things tells of positions in the features.`,
      },
      facts: [[`${noun}s`, `${survey.ranking.length} of ${count} occur in ${survey.images} images`]],
      json: { clusters: count, kind: noun === 'prototype' ? 'prototypes' : 'k-means', inUse: survey.ranking.length },
    };
  });
}

/** Those that a CAPI run was trained with, unless others are asked for. */
async function prototypesOf({ model, clusters, device }: VisualiseClustersOptions): Promise<Clustering | undefined> {
  const prototypes = clusters === undefined ? await openPrototypes(model, device) : undefined;
  return prototypes && { noun: 'prototype', ...prototypes };
}

/** Those that k-means finds in the unit features of patches. */
async function fitted(
  { dataset, view, model: { encoder } }: EncoderScene,
  options: VisualiseClustersOptions,
): Promise<Clustering> {
  const { clusters = DEFAULT_CLUSTERS, fit = DEFAULT_FIT } = options;
  using progress = new Progress('k-means', Math.min(fit, dataset.size), { unit: 'images' });
  using features_SD = await collectPatches({
    ...options,
    ...{ encoder, dataset, view },
    images: fit,
    limit: KMEANS_PATCHES,
    onProgress: (done) => progress.update(done),
  });
  progress.finish();
  if (clusters > features_SD.size(0)) {
    throw new UsageError(
      `--clusters: expected at most ${features_SD.size(0)}, the number of patches, received ${clusters}`,
      { hint: 'Look for them in more images (--fit).' },
    );
  }
  const centres_KD = scope(() => {
    const unit_SD = unitFeatures(features_SD);
    const found = kMeans(unit_SD, { clusters, runs: 2, maxIterations: 50 });
    return clusterCentres(unit_SD, found.clusters, clusters);
  });
  return {
    noun: 'cluster',
    count: clusters,
    scoresOf: nearestCentre(centres_KD),
    [Symbol.dispose]: () => centres_KD.dispose(),
  };
}
