import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type LogisticFit,
  LogisticRegression,
  predictClasses,
} from '../../../src/evals/logistic/logistic-regression.js';
import { scalerNames } from '../../../src/evals/measure/scaler-names.js';
import { fitScaler, scaleRows } from '../../../src/evals/measure/scalers.js';
import { splitOffTenth } from '../../../src/evals/segment/labelled-patches.js';
import { segmentByNeighbours } from '../../../src/evals/segment/segment-knn.js';
import { type SegmentRegressionSettings, segmentByRegression } from '../../../src/evals/segment/segment-regression.js';
import { segmentationMetrics } from '../../../src/evals/segment/segmentation-metrics.js';
import { generatorPermutation, legacyPermutation } from '../../../src/support/numpy-random.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { Tensor } from '../../../src/tensor/tensor.js';
import { expectClose, goldenJson, goldensFolder, goldenTensors } from '../../support/goldens.js';

interface Golden {
  sizes: { seg: { n_train: number; res: number; patch: number; classes: number }; perm: number };
  segmentation: {
    results: Record<string, number>;
    ignore: number[];
    n_val: number;
    scalers: Record<string, { dtype: string }>;
    other_standardizations: Record<string, Record<string, number>>;
    ignore_255_only: Record<string, number>;
    logreg: {
      C: number;
      objective: number;
      classes: number[];
      mIoU_val: number;
      mIoU_test: number;
      acc_test: number;
    }[];
    logreg_best_C_index: number;
    logreg_best_objective: number;
  };
}

/** What queries whose last neighbours are equally far may change, in percent. */
const NEIGHBOURS = 1e-4;

// Ours holds the keys about logistic regression of the whole set, beside those about nearest neighbours.
const whole = existsSync(join(goldensFolder, 'eval_tiny.json'));
const names = whole ? ['eval_tiny'] : ['eval_tiny_logreg', 'eval_tiny_knn'];
const found = existsSync(join(goldensFolder, `${names[0]}.json`));
if (!found) console.warn(`skipped: no eval_tiny.json in ${goldensFolder}`);

describe.skipIf(!found)('classifiers of patches of the published code', () => {
  const golden = found ? goldenJson<Golden>(names[0]!) : ({} as Golden);
  const tensors = new Map(found ? names.flatMap((name) => [...goldenTensors(name)]) : []);
  const at = (key: string): Tensor => {
    const tensor = tensors.get(key);
    if (!tensor) throw new Error(`no golden ${key}`);
    return ops.clone(tensor);
  };
  const bytes = (key: string) => at(key).data() as Uint8Array;
  const { segmentation } = golden;
  const perImage = found ? (golden.sizes.seg.res / golden.sizes.seg.patch) ** 2 : 1;

  /** All training images, in the order of the data set: the goldens hold the fitted part and the tenth apart. */
  const train = () => {
    const order = at('seg.split').numbers();
    const { n_val } = segmentation;
    const features = ops.cat([at('seg.features.val'), at('seg.features.train')]);
    const labels = ops.cat([at('seg.labels.val'), at('seg.labels.train')]);
    const places = order.map((_, image) => order.indexOf(image));
    expect(order.slice(0, n_val)).toEqual([...splitOffTenth(order.length, 0).validation]);
    const rows = places.flatMap((place) => Array.from({ length: perImage }, (_, patch) => place * perImage + patch));
    const index = Tensor.from(Int32Array.from(rows), [rows.length]);
    return {
      images: order.length,
      patches_RD: ops.indexSelect(features, 0, index),
      blocks: ops.indexSelect(labels, 0, index).data() as Uint8Array,
    };
  };
  const test = () => {
    const patches_RD = at('seg.features.test');
    return { images: patches_RD.size(0) / perImage, patches_RD, blocks: bytes('seg.labels.test') };
  };
  const settings = (rest: Partial<SegmentRegressionSettings> = {}): SegmentRegressionSettings => ({
    strength: 'search',
    scaler: 'StandardScaler',
    maxTrainPatches: Number.POSITIVE_INFINITY,
    ignored: new Set(segmentation.ignore),
    seed: 0,
    ...rest,
  });
  /** What is fitted: kept patches of the training part, standardised, and their classes. */
  const fitted = () => {
    const kept = bytes('seg.train.kept');
    const rows = [...kept.keys()].filter((row) => kept[row] === 1);
    const modal = bytes('seg.train.modal_label');
    const { classes } = segmentation.logreg[0]!;
    return {
      rows: { all_ND: ops.indexSelect(at('seg.standard.train'), 0, Tensor.from(Int32Array.from(rows), [rows.length])) },
      targets: Int32Array.from(rows, (row) => classes.indexOf(modal[row]!)),
      classes,
    };
  };

  it('splits with the permutations of NumPy', () => {
    const { perm } = golden.sizes;
    expect([...legacyPermutation(perm, 0)]).toEqual(at(`split.legacy_seed0_n${perm}`).numbers());
    expect([...generatorPermutation(perm, 42)]).toEqual(at(`split.default_rng42_n${perm}`).numbers());
    expect([...legacyPermutation(golden.sizes.seg.n_train, 0)]).toEqual(at('seg.split').numbers());
  });

  it.each(scalerNames.filter((name) => name !== 'none'))('scales with %s', (name) => {
    const scaler = fitScaler(name, { all_ND: at('seg.features.train') });
    expect(scaler.dtype).toBe(segmentation.scalers[name]!.dtype);
    const scaled = scaleRows({ all_ND: at('seg.features.test') }, scaler);
    expect(scaled.dtype).toBe(scaler.dtype);
    const suffix = name.startsWith('pca') ? 'test_double' : 'test';
    const known = name === 'StandardScaler' ? 'seg.standard.test' : `seg.scaler.${name}.${suffix}`;
    expectClose(ops.to(scaled, 'float64'), ops.to(at(known), 'float64'), 1e-6, name);
  });

  it('reaches the minimum at every strength of the penalty', () => {
    const { rows, targets, classes } = fitted();
    using regression = new LogisticRegression(rows, targets, {
      classes: classes.length,
      intercept: true,
      maxIterations: 5000,
    });
    let fit: LogisticFit | undefined;
    segmentation.logreg.forEach(({ C, objective }, i) => {
      fit = regression.fit(C, fit);
      // The goldens are exact minima: nothing lies below.
      expect(fit.objective / objective - 1, `C ${C}`).toBeGreaterThan(-1e-10);
      expect(fit.objective / objective - 1, `C ${C}`).toBeLessThan(2e-6);
      const predicted = predictClasses(fit, { all_ND: at('seg.standard.test') });
      const margins = at(`seg.logreg.${i}.margin_test`).numbers();
      const expected = bytes(`seg.logreg.${i}.pred_test`);
      const wrong = [...predicted].filter((c, row) => margins[row]! > 1e-2 && classes[c] !== expected[row]);
      expect(wrong, `C ${C}`).toEqual([]);
      if (i < 3) return;
      expectClose(
        Tensor.from(fit.weights, [classes.length, rows.all_ND.size(1)]),
        at(`seg.logreg.${i}.coef`),
        5e-3,
        `coef ${C}`,
      );
    });
  });

  it('does not need the features to be white, and finds the same from a former fit', () => {
    const { rows, targets, classes } = fitted();
    // The same features, turned into badly scaled ones with a far mean.
    const scale = Tensor.from(
      Float32Array.from({ length: rows.all_ND.size(1) }, (_, i) => 10 ** ((i % 5) - 2)),
      [1, -1].map((n) => (n < 0 ? rows.all_ND.size(1) : n)),
    );
    const stretched = { all_ND: ops.add(ops.mul(rows.all_ND, scale), 100) };
    using regression = new LogisticRegression(stretched, targets, { classes: classes.length, intercept: true });
    const fit = regression.fit(1);
    const again = regression.fit(1, regression.fit(0.5));
    expect(fit.excess).toBeLessThan(1e-6);
    expect(fit.iterations).toBeLessThan(300);
    expect(again.objective / fit.objective).toBeCloseTo(1, 5);
    expect(regression.fit(1, fit).iterations).toBe(0);
  });

  it('chooses C on the tenth and fits again to all images, as published', async () => {
    const result = await segmentByRegression(train(), test(), settings());
    segmentation.logreg.forEach(({ C, mIoU_val }, i) => {
      const { strength, miou } = result.search![i]!;
      expect(strength / C).toBeCloseTo(1, 12);
      expect(Math.abs(miou / 100 - mIoU_val), `C ${C}`).toBeLessThan(C < 100 ? 1e-9 : 0.02);
    });
    expect(result.strength / segmentation.logreg[segmentation.logreg_best_C_index]!.C).toBeCloseTo(1, 12);
    expect(Math.abs(result.fit.objective / segmentation.logreg_best_objective - 1)).toBeLessThan(2e-6);
    const { miou, pixelAccuracy } = segmentationMetrics(result.counts);
    expect(miou).toBeCloseTo(100 * segmentation.results.labels_logreg_mIoU!, 6);
    expect(pixelAccuracy).toBeCloseTo(100 * segmentation.results.labels_logreg_acc!, 6);
  });

  it.each(scalerNames.filter((name) => name !== 'StandardScaler'))('segments as published with %s', async (scaler) => {
    const expected = segmentation.other_standardizations[scaler === 'none' ? 'None' : scaler]!;
    const { counts } = await segmentByRegression(train(), test(), settings({ scaler }));
    const { miou, pixelAccuracy } = segmentationMetrics(counts);
    expect(miou).toBeCloseTo(100 * expected.labels_logreg_mIoU!, 6);
    expect(pixelAccuracy).toBeCloseTo(100 * expected.labels_logreg_acc!, 6);
  });

  it.each(scalerNames)('segments by neighbours as published with %s', (scaler) => {
    const published = segmentation.other_standardizations[scaler === 'none' ? 'None' : scaler];
    const expected = scaler === 'StandardScaler' ? segmentation.results : published!;
    const { counts } = segmentByNeighbours(train(), test(), { ...settings({ scaler }), choice: 'search' });
    const { miou, pixelAccuracy } = segmentationMetrics(counts);
    expect(Math.abs(pixelAccuracy - 100 * expected.labels_knn_acc!)).toBeLessThan(NEIGHBOURS);
    expect(Math.abs(miou - 100 * expected.labels_knn_mIoU!)).toBeLessThan(NEIGHBOURS);
  });

  it('keeps patches of classes that are not ignored', async () => {
    const { counts } = await segmentByRegression(train(), test(), settings({ ignored: new Set([255]) }));
    const { miou, pixelAccuracy } = segmentationMetrics(counts);
    expect(miou).toBeCloseTo(100 * segmentation.ignore_255_only.labels_logreg_mIoU!, 6);
    expect(pixelAccuracy).toBeCloseTo(100 * segmentation.ignore_255_only.labels_logreg_acc!, 6);
  });
});
