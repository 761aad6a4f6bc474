import { afterEach, describe, expect, it } from 'vitest';
import { labelBlocks, modalLabels, voteLabels } from '../../../../src/evals/segment/label-blocks.js';
import { type SegmentKnnSettings, segmentByNeighbours } from '../../../../src/evals/segment/segment-knn.js';
import { countPixels, segmentationMetrics } from '../../../../src/evals/segment/segmentation-metrics.js';
import { Random } from '../../../../src/support/random.js';
import { liveTensors, Tensor } from '../../../../src/tensor/tensor.js';

const made: Tensor[] = [];
afterEach(() => {
  for (const tensor of made.splice(0)) tensor.dispose();
});

/** Images of 2 x 2 patches of 2 x 2 pixels. The first feature says the label of the patch, with noise. */
function images(count: number, seed: number, labelOf = (patch: number) => 1 + (patch % 3), noise = 0.01) {
  const random = Random.from(seed);
  const features: number[] = [];
  const blocks: number[] = [];
  for (let patch = 0; patch < 4 * count; patch++) {
    const label = labelOf(patch);
    features.push(label + 0.01 * random.normal(), 1, noise * random.normal());
    blocks.push(label, label, label, label);
  }
  const patches_RD = Tensor.from(Float32Array.from(features), [4 * count, 3]);
  made.push(patches_RD);
  return { images: count, patches_RD, blocks: Uint8Array.from(blocks) };
}

function settings(rest: Partial<SegmentKnnSettings> = {}): SegmentKnnSettings {
  return {
    choice: { k: 3, distance: 'L2' },
    scaler: 'none',
    maxTrainPatches: 1000,
    ignored: new Set([255]),
    seed: 0,
    ...rest,
  };
}

describe('labels of patches', () => {
  it('cuts maps row by row', () => {
    const map = Uint8Array.from({ length: 16 }, (_, i) => i);
    expect([...labelBlocks(map, 4, 2)]).toEqual([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
  });

  it('takes the mode, the smallest of equals', () => {
    expect([...modalLabels(Uint8Array.of(7, 7, 2, 2, 9, 1, 9, 3), 4)]).toEqual([2, 9]);
  });

  // By hand, and torch.mode over the rows.
  it('votes for each pixel with whole patches', () => {
    const blocks = Uint8Array.of(1, 2, 3, 0, /**/ 2, 2, 1, 255, /**/ 1, 1, 3, 0, /**/ 9, 9, 9, 9);
    expect([...voteLabels(Int32Array.of(0, 1, 2), 3, 3, blocks, 4)]).toEqual([1, 2, 3, 0]);
    // With two neighbours all pixels but one are ties.
    expect([...voteLabels(Int32Array.of(0, 1, 2), 3, 2, blocks, 4)]).toEqual([1, 2, 1, 0]);
    expect([...voteLabels(Int32Array.of(3, 1, 0, 2), 2, 1, blocks, 4)]).toEqual([9, 9, 9, 9, 1, 2, 3, 0]);
  });
});

describe('segmentation metrics', () => {
  it('does not see pixels whose truth is ignored, and counts predicted ignored classes as wrong', () => {
    const counts = countPixels(Uint8Array.of(1, 1, 2, 255), Uint8Array.of(1, 255, 2, 1), new Set([255]));
    expect([...counts.classes]).toEqual([1, 2, 255]);
    const { miou, pixelAccuracy } = segmentationMetrics([counts]);
    expect(miou).toBeCloseTo((100 * (1 / 2 + 1 + 0)) / 3, 10);
    expect(pixelAccuracy).toBeCloseTo(200 / 3, 10);
  });

  it('adds images before it divides', () => {
    const one = countPixels(Uint8Array.of(1, 1, 1, 1), Uint8Array.of(1, 1, 1, 2), new Set());
    const two = countPixels(Uint8Array.of(2, 2), Uint8Array.of(2, 2), new Set());
    expect(segmentationMetrics([one, two]).miou).toBeCloseTo((100 * (3 / 4 + 2 / 3)) / 2, 10);
    expect(segmentationMetrics([one, two], Uint32Array.of(0, 3))).toEqual({ miou: 100, pixelAccuracy: 100 });
  });
});

describe('segmentByNeighbours', () => {
  it('is right where features tell the label', () => {
    const { counts, voters } = segmentByNeighbours(images(6, 1), images(3, 2), settings());
    expect(segmentationMetrics(counts)).toEqual({ miou: 100, pixelAccuracy: 100 });
    expect(counts).toHaveLength(3);
    expect(voters).toBe(24);
  });

  it('drops training patches that are mostly ignored', () => {
    const train = images(6, 1, (patch) => (patch % 4 === 0 ? 255 : 1 + (patch % 2)));
    const { counts, voters, candidates } = segmentByNeighbours(train, images(3, 2), settings());
    expect([voters, candidates]).toEqual([18, 18]);
    expect(counts.some((image) => image.classes.includes(255))).toBe(false);
    const none = images(2, 1, () => 255);
    expect(() => segmentByNeighbours(none, images(1, 2), settings())).toThrow(/ignored/);
  });

  it('samples training patches with the seed', () => {
    const [train, test] = [images(30, 1, (patch) => 1 + ((patch * patch) % 5)), images(10, 2)];
    const run = (seed: number) => segmentByNeighbours(train, test, settings({ maxTrainPatches: 12, seed }));
    expect([run(0).voters, run(0).candidates]).toEqual([12, 120]);
    expect(run(0).counts).toEqual(run(0).counts);
    expect([1, 2, 3].map((seed) => JSON.stringify(run(seed).counts))).not.toEqual(
      Array(3).fill(JSON.stringify(run(0).counts)),
    );
  });

  it('searches on a tenth of the images and says what it found', () => {
    const { choice, search } = segmentByNeighbours(images(20, 1), images(3, 2), settings({ choice: 'search' }));
    expect(search).toHaveLength(8);
    expect(choice).toEqual({ k: search![0]!.k, distance: search![0]!.distance });
    expect(() => segmentByNeighbours(images(9, 1), images(3, 2), settings({ choice: 'search' }))).toThrow(/10 or more/);
  });

  it('standardises with the training images', () => {
    // The third feature tells nothing and is large.
    const [train, test] = [images(8, 1, undefined, 100), images(8, 2, undefined, 100)];
    const given = train.patches_RD.numbers();
    const { counts } = segmentByNeighbours(train, test, settings({ scaler: 'StandardScaler' }));
    expect(train.patches_RD.numbers()).toEqual(given);
    // By hand, feature by feature; one that does not vary is centred, not divided by zero.
    const statistics = [0, 1, 2].map((column) => {
      const values = [...given].filter((_, i) => i % 3 === column);
      const mean = values.reduce((sum, value) => sum + value) / values.length;
      return { mean, scale: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length) || 1 };
    });
    expect(statistics.map(({ scale }) => scale === 1)).toEqual([false, true, false]);
    const byHand = (patches: typeof train) => {
      const values = [...patches.patches_RD.numbers()].map(
        (x, i) => (x - statistics[i % 3]!.mean) / statistics[i % 3]!.scale,
      );
      return { ...patches, patches_RD: Tensor.from(Float32Array.from(values), patches.patches_RD.shape) };
    };
    expect(counts).toEqual(segmentByNeighbours(byHand(train), byHand(test), settings()).counts);
    expect(counts).not.toEqual(segmentByNeighbours(train, test, settings()).counts);
  });

  it('frees what it makes', () => {
    const [train, test] = [images(20, 1), images(2, 2)];
    const before = liveTensors().tensors;
    segmentByNeighbours(train, test, settings({ choice: 'search', scaler: 'StandardScaler' }));
    expect(liveTensors().tensors).toBe(before);
  });
});
