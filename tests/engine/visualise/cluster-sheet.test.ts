import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/spec.js';
import { kMeans } from '../../../src/evals/cluster/k-means.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope, type Tensor } from '../../../src/tensor/tensor.js';
import { clusterCentres, nearestCentre, unitFeatures } from '../../../src/visualise/cluster-scores.js';
import { drawClusterSheet } from '../../../src/visualise/cluster-sheet.js';
import { type ClusterScores, patchClusters, surveyClusters } from '../../../src/visualise/cluster-survey.js';
import { collectPatches } from '../../../src/visualise/collect-patches.js';
import { sampleImages } from '../../../src/visualise/sample-images.js';
import { colourEncoder } from '../../support/colour-encoder.js';

const dataset = await openDataset('scenes://?split=test&count=17&size=96');
const view = { kind: 'resize', size: 96 } as const;
const encoder = colourEncoder;

/** Scores by the mean of a patch: dark, middle, light. Cluster 3 is never the best. */
const byLight: ClusterScores = (features_SD) =>
  scope(() => {
    const mean_S1 = ops.meanDim(features_SD, [1], true);
    const score = (centre: number): Tensor => {
      const apart = ops.add(mean_S1, -centre);
      return ops.neg(ops.mul(apart, apart));
    };
    return ops.cat([score(-1.2), score(0), score(1.2), ops.add(score(0), -100)], 1);
  });

const survey = () =>
  surveyClusters({ dataset, view, encoder, scoresOf: byLight, images: 1000, portraits: 2, examples: 3 });

describe('clusters over a data set', () => {
  it('are counted patch by patch, and shown by the patches that fit best', async () => {
    const before = liveTensors().tensors;
    const found = await survey();
    const pictures = (await sampleImages(dataset, view, { count: 17 })).map(({ picture }) => picture);
    const all = patchClusters(pictures, encoder, byLight, {});
    expect(liveTensors().tensors).toBe(before);
    const counts = [0, 1, 2, 3].map((cluster) => all.clusters.filter((one) => one === cluster).length);
    expect(found.images).toBe(17);
    expect(found.ranking).toEqual([0, 1, 2].sort((a, b) => counts[b]! - counts[a]!));
    for (const { cluster, share, images, examples } of found.portraits) {
      expect(share).toBeCloseTo(counts[cluster]! / all.clusters.length, 12);
      const having = pictures.flatMap((_, i) => {
        const own = [...all.clusters.subarray(i * 144, (i + 1) * 144).keys()].filter(
          (patch) => all.clusters[i * 144 + patch] === cluster,
        );
        return own.length === 0 ? [] : [Math.max(...own.map((patch) => all.scores[i * 144 + patch]!))];
      });
      expect(images).toBe(having.length);
      // The framed pixels of the examples score as the best of the images do.
      const best = having.sort((a, b) => b - a).slice(0, 3);
      const centre = [-1.2, 0, 1.2][cluster]!;
      examples.forEach(({ picture, patch }, place) => {
        const { left, top, side } = patch;
        const [x, y, pixels] = [left, top, side].map((share) => Math.round(share * picture.width)) as [
          number,
          number,
          number,
        ];
        expect(pixels).toBe(8);
        const data = new Uint8Array(pixels * pixels * 3);
        for (let row = 0; row < pixels; row++) {
          const from = ((y + row) * picture.width + x) * 3;
          data.set(picture.data.subarray(from, from + pixels * 3), row * pixels * 3);
        }
        const { scores } = patchClusters([{ data, width: 8, height: 8 }], encoder, byLight, {});
        expect(scores[0], `cluster ${centre}`).toBeCloseTo(best[place]!, 6);
      });
    }
  });

  it('make a sheet that is the same every time', async () => {
    const images = await sampleImages(dataset, view, { count: 3 });
    const pictures = images.map(({ picture }) => picture);
    const draw = async (noun: 'prototype' | 'cluster') =>
      drawClusterSheet({
        images,
        patches: patchClusters(pictures, encoder, byLight, {}),
        survey: await survey(),
        ...{ clusters: 4, noun, heading: 'Test' },
      });
    const first = await draw('prototype');
    expect(first.equals(await draw('prototype'))).toBe(true);
    expect(first.equals(await draw('cluster'))).toBe(false);
  });
});

describe('k-means of patches', () => {
  it('gives each patch the nearest of the centres, which are the means of their patches', async () => {
    const before = liveTensors().tensors;
    const features = await collectPatches({ dataset, view, encoder, images: 5, limit: 360 });
    expect(features.shape).toEqual([5 * 72, 192]);
    scope(() => {
      const unit = unitFeatures(features);
      const { clusters } = kMeans(unit, { clusters: 6, runs: 1, maxIterations: 1000 });
      const centres = clusterCentres(unit, clusters, 6);
      // k-means has come to rest when centres and patches no longer move each other.
      expect(ops.argmax(nearestCentre(centres)(features), 1).numbers()).toEqual(Array.from(clusters));
    });
    features.dispose();
    expect(liveTensors().tensors).toBe(before);
  });
});
