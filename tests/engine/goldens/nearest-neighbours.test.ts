import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { voteClasses } from '../../../src/evals/knn/knn-classification.js';
import { type Distance, nearestNeighbours } from '../../../src/evals/knn/nearest-neighbours.js';
import { fitScaler, scaleRows } from '../../../src/evals/measure/scalers.js';
import { labelBlocks, modalLabels, voteLabels } from '../../../src/evals/segment/label-blocks.js';
import {
  type SegmentKnnSettings,
  searchNeighbours,
  segmentByNeighbours,
} from '../../../src/evals/segment/segment-knn.js';
import { countPixels, segmentationMetrics } from '../../../src/evals/segment/segmentation-metrics.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { goldenJson, goldensFolder, goldenTensors } from '../../support/goldens.js';

interface Golden {
  sizes: { seg: { n_train: number; res: number; patch: number } };
  segmentation: {
    results: Record<string, number>;
    ignore: number[];
    n_val: number;
    knn: Record<string, { mIoU: number; acc: number; unclear_queries: number; classes: number[]; iou: number[] }>;
    other_standardizations: Record<string, Record<string, number>>;
    ignore_255_only: Record<string, number>;
    metric_cases: { gt: number[]; pred: number[]; ignore: number[]; mIoU: number; acc: number }[];
  };
  mim_knn: { hard: { accuracy: Record<string, number> }; separable: { accuracy: Record<string, number> } };
}

// Ours holds the keys about nearest neighbours of the whole set, which has the short name.
const name = ['eval_tiny_knn', 'eval_tiny'].find((file) => existsSync(join(goldensFolder, `${file}.json`)));
if (name === undefined) console.warn(`skipped: no eval_tiny.json in ${goldensFolder}`);

describe.skipIf(name === undefined)('nearest neighbours of the published code', () => {
  const golden = name === undefined ? ({} as Golden) : goldenJson<Golden>(name);
  const tensors = name === undefined ? new Map<string, Tensor>() : goldenTensors(name);
  const at = (key: string): Tensor => {
    const tensor = tensors.get(key);
    if (!tensor) throw new Error(`no golden ${key}`);
    return ops.clone(tensor);
  };
  const bytes = (key: string) => at(key).data() as Uint8Array;
  const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
  const { seg } = golden.sizes ?? { seg: { n_train: 0, res: 1, patch: 1 } };
  const { segmentation } = golden;
  const area = seg.patch ** 2;
  const validation = Array.from({ length: segmentation?.n_val ?? 0 }, (_, i) => seg.n_train - segmentation.n_val + i);
  const split = { validation, training: Array.from({ length: seg.n_train - validation.length }, (_, i) => i) };

  /** All training images: the part that is fitted on, then the tenth. */
  const train = (kind: 'features' | 'standard') => ({
    images: seg.n_train,
    patches_RD: ops.cat([at(`seg.${kind}.train`), at(`seg.${kind}.val`)]),
    blocks: joined(bytes('seg.labels.train'), bytes('seg.labels.val')),
  });
  const test = (kind: 'features' | 'standard') => {
    const patches_RD = at(`seg.${kind}.test`);
    return { images: patches_RD.size(0) / (seg.res / seg.patch) ** 2, patches_RD, blocks: bytes('seg.labels.test') };
  };
  const settings = (rest: Partial<SegmentKnnSettings> = {}): SegmentKnnSettings => ({
    choice: { k: 10, distance: 'cosine' },
    scaler: 'none',
    maxTrainPatches: Number.POSITIVE_INFINITY,
    ignored: new Set(segmentation.ignore),
    seed: 0,
    ...rest,
  });
  /** What unclear queries, whose last neighbours are equally far, can change of a share of all pixels. */
  const tolerance = (unclear: number) => 1e-6 + (100 * unclear) / test('features').patches_RD.size(0);

  it('cuts label maps into patches', () => {
    const [maps, rows, columns] = at('seg.rearrange.input').shape as [number, number, number];
    // Ours are square: a golden of 6 x 9 is cut from one of 9 x 9 whose last rows are not compared.
    const square = new Uint8Array(maps * columns * columns);
    const input = bytes('seg.rearrange.input');
    for (let m = 0; m < maps; m++) {
      square.set(input.subarray(m * rows * columns, (m + 1) * rows * columns), m * columns * columns);
    }
    const expected = at('seg.rearrange.map');
    const side = Math.sqrt(expected.size(3));
    const blocks = labelBlocks(square, columns, side);
    const perMap = expected.length / maps;
    for (let m = 0; m < maps; m++) {
      const start = m * columns * columns;
      expect([...blocks.subarray(start, start + perMap)]).toEqual(
        expected.numbers().slice(m * perMap, (m + 1) * perMap),
      );
    }
  });

  it('takes the most frequent label of a patch, the smallest of equals', () => {
    expect([...modalLabels(train('features').blocks, area)]).toEqual([...bytes('seg.fit.modal_label')]);
  });

  it.each(['cosine', 'L2'] as const)('finds the neighbours by %s', (distance) => {
    const kept = bytes('seg.fit.kept');
    const rows = [...kept.keys()].filter((row) => kept[row] === 1);
    const all = train('standard').patches_RD;
    const kept_TD = ops.stack(rows.map((row) => ops.select(all, 0, row)));
    const expected = at(`seg.knn.${distance}.nearest_index`).numbers();
    const expectedDistances = at(`seg.knn.${distance}.nearest_distance`).numbers();
    const k = at(`seg.knn.${distance}.nearest_index`).size(1);
    const small = { queryChunk: 50, trainChunk: 100 };
    for (const chunks of [{}, small]) {
      const found = nearestNeighbours(test('standard').patches_RD, kept_TD, { k, distance, ...chunks });
      // Single precision: distances agree to rounding, of the expanded square below the root for L2.
      found.distances.forEach((value, i) => {
        expect(Math.abs(value - expectedDistances[i]!)).toBeLessThan(2e-3);
      });
      const same = [...found.indices].filter((index, i) => index === expected[i]).length;
      expect(same / expected.length).toBeGreaterThan(0.99);
    }
  });

  it.each(['cosine.k1', 'cosine.k3', 'cosine.k10', 'cosine.k30', 'L2.k1', 'L2.k3', 'L2.k10', 'L2.k30'])(
    'segments with %s',
    (key) => {
      const [distance, k] = key.split('.k') as [Distance, string];
      const expected = segmentation.knn[key]!;
      const choice = { k: Number(k), distance };
      const { counts, voters } = segmentByNeighbours(train('standard'), test('standard'), settings({ choice }));
      expect(voters).toBe([...bytes('seg.fit.kept')].filter((one) => one === 1).length);
      const metrics = segmentationMetrics(counts);
      expect(Math.abs(metrics.pixelAccuracy - 100 * expected.acc)).toBeLessThan(tolerance(expected.unclear_queries));
      // A class may hang on few pixels: the share of an unclear query within its class is larger.
      const within = expected.unclear_queries === 0 ? 1e-6 : 0.5;
      expect(Math.abs(metrics.miou - 100 * expected.mIoU)).toBeLessThan(within);
      const classes = new Set(counts.flatMap((image) => [...image.classes]));
      if (expected.unclear_queries === 0) expect([...classes].sort((a, b) => a - b)).toEqual(expected.classes);
    },
  );

  it.each(['cosine', 'L2'] as const)(
    'labels every pixel as published where neighbours are clear, by %s',
    (distance) => {
      const kept = bytes('seg.fit.kept');
      const all = train('standard');
      const rows = [...kept.keys()].filter((row) => kept[row] === 1);
      const blocks = Uint8Array.from(rows.flatMap((row) => [...all.blocks.subarray(row * area, (row + 1) * area)]));
      const kept_TD = ops.stack(rows.map((row) => ops.select(all.patches_RD, 0, row)));
      const { indices } = nearestNeighbours(test('standard').patches_RD, kept_TD, { k: 30, distance });
      for (const k of [1, 3, 10, 30]) {
        const predicted = voteLabels(indices, 30, k, blocks, area);
        const expected = bytes(`seg.knn.${distance}.k${k}.pred`);
        bytes(`seg.knn.${distance}.k${k}.clear`).forEach((clear, query) => {
          if (clear !== 1) return;
          const range = [query * area, (query + 1) * area] as const;
          expect([...predicted.subarray(...range)], `query ${query}`).toEqual([...expected.subarray(...range)]);
        });
      }
    },
  );

  it('breaks ties of labels towards the smallest', () => {
    const labels = bytes('seg.tie.labels');
    for (const k of [1, 2, 3, 4, 6]) {
      const { indices } = nearestNeighbours(at('seg.tie.query'), at('seg.tie.train'), { k, distance: 'L2' });
      expect([...voteLabels(indices, k, k, labels, 3)]).toEqual(at(`seg.tie.L2.k${k}.pred`).numbers());
    }
  });

  it('scores k and distance on the tenth', () => {
    const scores = searchNeighbours(train('standard'), split, settings());
    const order = scores.map(({ k, distance }) => `hparam_fitting.knn.mIoU_num_neighbors=${k}_distance=${distance}`);
    expect(order).toEqual(Object.keys(segmentation.results).filter((key) => key.startsWith('hparam_fitting.knn')));
    // Of 8 choices, those whose neighbours are equally far differ by a patch of the 72.
    scores.forEach(({ miou }, i) => {
      expect(Math.abs(miou - 100 * segmentation.results[order[i]!]!), order[i]).toBeLessThan(0.5);
    });
  });

  it.each(['None', 'StandardScaler'])('reaches the published result with its own choice (%s)', (scaling) => {
    const kind = scaling === 'None' ? 'features' : 'standard';
    const scores = searchNeighbours(train(kind), split, settings());
    const { k, distance } = scores.reduce((best, next) => (next.miou > best.miou ? next : best));
    const { counts } = segmentByNeighbours(train(kind), test(kind), settings({ choice: { k, distance } }));
    const expected = kind === 'standard' ? segmentation.results : segmentation.other_standardizations.None!;
    const { miou, pixelAccuracy } = segmentationMetrics(counts);
    expect(Math.abs(pixelAccuracy - 100 * expected.labels_knn_acc!)).toBeLessThan(tolerance(1));
    expect(Math.abs(miou - 100 * expected.labels_knn_mIoU!)).toBeLessThan(1);
  });

  it('computes the published metrics', () => {
    for (const { gt, pred, ignore, mIoU, acc } of segmentation.metric_cases) {
      const counts = countPixels(Uint8Array.from(gt), Uint8Array.from(pred), new Set(ignore));
      const { miou, pixelAccuracy } = segmentationMetrics([counts]);
      expect(miou).toBeCloseTo(100 * mIoU, 9);
      expect(pixelAccuracy).toBeCloseTo(100 * acc, 9);
    }
  });

  it.each(['hard', 'separable'] as const)('votes for classes as MIM-Refiner does (%s)', (set) => {
    const raw_ND = at(`mim.knn.${set}.train_x`);
    const scaler = fitScaler('StandardScaler', { all_ND: raw_ND });
    const train_ND = scaleRows({ all_ND: raw_ND }, scaler);
    const test_ND = scaleRows({ all_ND: at(`mim.knn.${set}.test_x`) }, scaler);
    const labels = Int32Array.from(at(`mim.knn.${set}.train_y`).numbers());
    const truth = at(`mim.knn.${set}.test_y`).numbers();
    const classes = Math.max(...labels, ...truth) + 1;
    for (const [key, accuracy] of Object.entries(golden.mim_knn[set].accuracy)) {
      const [, count, tau] = /^k(\w+)-tau(.+)$/.exec(key) as unknown as [string, string, string];
      const k = count === 'inf' ? labels.length : Number(count);
      const temperature = tau === 'inf' ? Number.POSITIVE_INFINITY : Number(tau);
      const neighbours = nearestNeighbours(test_ND, train_ND, { k, distance: 'cosine' });
      const predicted = voteClasses(neighbours, labels, classes, temperature);
      const right = truth.filter((label, i) => label === predicted[i]).length / truth.length;
      expect(right, key).toBeCloseTo(accuracy, 6);
      const known = tensors.get(`mim.knn.${set}.k${k}.pred`);
      if (temperature !== 0.07 || known === undefined) continue;
      const clear = bytes(`mim.knn.${set}.k${k}.clear`);
      known.numbers().forEach((label, i) => {
        if (clear[i] === 1) expect(predicted[i]).toBe(label);
      });
    }
  });
});
