import { describe, expect, it } from 'vitest';
import { Loader } from '../../../../src/data/loader.js';
import { openDataset } from '../../../../src/data/spec.js';
import { colourBaseline } from '../../../../src/evals/baseline/colour-baseline.js';
import { evaluate } from '../../../../src/evals/evaluate.js';
import { lidar, rankMe } from '../../../../src/evals/unlabelled/effective-rank.js';
import { spreadFrom } from '../../../../src/evals/unlabelled/patch-statistics.js';
import { unitRows } from '../../../../src/features/feature-spread.js';
import { normaliseImages } from '../../../../src/models/patches.js';
import * as ops from '../../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../../src/tensor/tensor.js';

const [IMAGES, VIEWS, WIDTH] = [10, 4, 6];
const dataset = await openDataset('scenes://?split=train&count=9&size=32');

/** A number from 0 to 1 that looks random. */
function hash(x: number): number {
  const value = Math.sin(x) * 43758.5453;
  return value - Math.floor(value);
}

/** Features that NumPy can make as well: of every image 4 views. */
function rows(): number[][] {
  return Array.from({ length: IMAGES * VIEWS }, (_, i) => {
    const image = Math.floor(i / VIEWS);
    return Array.from(
      { length: WIDTH },
      (_, j) => hash(12.9898 * i + 78.233 * j) + 0.7 * hash(3.1 * image + 17.7 * j) + 0.1 * j,
    );
  });
}

/** LiDAR's scatter in plain JavaScript, of rows image by image. */
function scatterOf(features: readonly (readonly number[])[], views: number): { between_DD: Tensor; within_DD: Tensor } {
  const width = features[0]!.length;
  const images = features.length / views;
  const mean = (list: readonly (readonly number[])[]) =>
    Array.from({ length: width }, (_, d) => list.reduce((sum, row) => sum + row[d]!, 0) / list.length);
  const all = mean(features);
  const between = new Float64Array(width * width);
  const within = new Float64Array(width * width);
  const add = (to: Float64Array, row: readonly number[], centre: readonly number[], share: number) => {
    for (let a = 0; a < width; a++)
      for (let b = 0; b < width; b++) to[a * width + b]! += (row[a]! - centre[a]!) * (row[b]! - centre[b]!) * share;
  };
  for (let image = 0; image < images; image++) {
    const own = features.slice(image * views, (image + 1) * views);
    const centre = mean(own);
    add(between, centre, all, 1 / images);
    for (const row of own) add(within, row, centre, 1 / features.length);
  }
  return {
    between_DD: Tensor.from(between, [width, width]),
    within_DD: Tensor.from(within, [width, width]),
  };
}

describe('effective ranks', () => {
  // NumPy 2, double precision, on rows() in single precision: singular values, and eigh of the whitened scatter.
  it('are those that NumPy computes', () => {
    scope(() => {
      const features_ND = Tensor.from(Float32Array.from(rows().flat()), [IMAGES * VIEWS, WIDTH]);
      expect(rankMe(features_ND)).toBeCloseTo(3.555573, 6);
      expect(lidar(scatterOf(rows(), VIEWS))).toBeCloseTo(4.588181, 4);
      const sum = ops.sumDim(ops.to(unitRows(features_ND), 'float64'), [0], false).numbers();
      expect(spreadFrom(sum, IMAGES * VIEWS)).toBeCloseTo(0.278709, 6);
    });
  });

  it('are the number of directions that are used equally', () => {
    scope(() => {
      const axes = Tensor.from(
        Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 : 0)),
        [8, 8],
      );
      expect(rankMe(axes)).toBeCloseTo(8, 4);
      expect(rankMe(ops.narrow(axes, 0, 0, 3))).toBeCloseTo(3, 3);
      expect(spreadFrom([0, 0], 10)).toBeCloseTo(Math.sqrt(10 / 9), 9);
      expect(spreadFrom([10, 0], 10)).toBe(0);
    });
  });
});

describe('unlabelled', () => {
  it('looks at images, crops and prototypes', async () => {
    const before = liveTensors().tensors;
    const encoder = colourBaseline(8);
    // The first colour decides between two of five prototypes.
    const prototypes = (features_SD: Tensor) =>
      scope(() => {
        const weights = Float32Array.from({ length: 5 * 6 }, (_, i) => (i === 0 ? 1 : i === 6 ? -1 : 0));
        const bias = Tensor.from(Float32Array.from([0, 0, -100, -100, -100]), [5]);
        return ops.linear(features_SD, Tensor.from(weights, [5, 6]), bias);
      });
    const found = await evaluate({
      ...{ task: 'unlabelled', encoder, floor: encoder, prototypes, data: { test: dataset }, size: 32 },
      ...{ workers: 1, resamples: 50, batchSize: 9 },
      options: { lidarViews: 3, lidarImages: 5 },
    });
    const { metrics, floor, intervals } = found;
    expect(metrics.prototypesInUse).toBe(40);
    expect(metrics.prototypePerplexity).toBeGreaterThan(1);
    expect(metrics.prototypePerplexity).toBeLessThanOrEqual(2);
    expect(floor).not.toHaveProperty('prototypesInUse');
    expect({ ...floor }).toEqual({
      ...{ rankMe: metrics.rankMe, lidar: metrics.lidar },
      ...{ spread: metrics.spread, patchSpread: metrics.patchSpread },
    });
    expect(intervals.spread![0]).toBeLessThan(metrics.spread!);
    expect(metrics.lidar).toBeCloseTo(await expectedLidar(5, 3), 3);
    expect(liveTensors().tensors).toBe(before);
  });
});

/** The same crops, seen one by one: images 0, 1, 3, 5, 7 of 9. */
async function expectedLidar(images: number, views: number): Promise<number> {
  const encoder = colourBaseline(8);
  const loader = new Loader({
    dataset,
    views: Array(views).fill({ kind: 'random-resized-crop', size: 32, scale: [0.2, 1], flip: true }),
    batchSize: images,
    order: [0, 1, 3, 5, 7],
    seed: 0,
    workers: 1,
  });
  const batch = (await loader.next())!;
  await loader.close();
  return scope(() => {
    const pixels = Tensor.from(batch.images, [images * views, 32, 32, 3]);
    const { patches_BYXD } = encoder.embed(normaliseImages(pixels));
    const means = ops.meanDim(patches_BYXD, [1, 2]).numbers();
    const features = Array.from({ length: images * views }, (_, i) => means.slice(i * 6, (i + 1) * 6));
    return lidar(scatterOf(features, views));
  });
}
