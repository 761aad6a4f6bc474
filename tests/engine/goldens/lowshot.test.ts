import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { centredUnitRows, fitFewShots, predictLabels } from '../../../src/evals/lowshot/lowshot.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, Tensor } from '../../../src/tensor/tensor.js';
import { expectClose, goldenJson, goldensFolder, goldenTensors } from '../../support/goldens.js';

interface Golden {
  mim_lowshot: {
    C: number;
    objective: number;
    accuracy_test_rows_raw: number;
    accuracy_test_rows_preprocessed: number;
  };
}

// Ours holds the keys about logistic regression of the whole set, which has the short name.
const name = ['eval_tiny_logreg', 'eval_tiny'].find((file) => existsSync(join(goldensFolder, `${file}.json`)));
if (name === undefined) console.warn(`skipped: no eval_tiny.json in ${goldensFolder}`);

describe.skipIf(name === undefined)('low-shot classification as MIM-Refiner published it', () => {
  const { mim_lowshot } = name === undefined ? ({} as Golden) : goldenJson<Golden>(name);
  const tensors = name === undefined ? new Map<string, Tensor>() : goldenTensors(name);
  const at = (key: string) => ops.clone(tensors.get(`mim.lowshot.${key}`)!);
  const labels = (key: string) => Int32Array.from(at(key).numbers());

  it('centres and normalises training rows one by one', () => {
    expectClose(centredUnitRows(at('train_x')), at('train_rows'), 1e-6);
  });

  it('reaches the minimum and predicts the same', () => {
    const fitted = fitFewShots(at('train_x'), labels('train_y'), mim_lowshot.C);
    const { objective, excess, weights } = fitted.fit;
    expect(objective / mim_lowshot.objective - 1).toBeGreaterThan(-1e-9);
    expect(objective / mim_lowshot.objective - 1).toBeLessThan(1e-3);
    expect(objective / mim_lowshot.objective - 1).toBeLessThan(excess + 1e-9);
    expectClose(Tensor.from(weights, at('coef').shape), at('coef'), 0.02, 'coef');
    const [margins, expected, truth] = [at('margin').numbers(), labels('pred'), labels('test_y')];
    for (const rows of [at('test_x'), centredUnitRows(at('test_x'))]) {
      const predicted = predictLabels(fitted, rows);
      margins.forEach((margin, i) => {
        if (margin > 1) expect(predicted[i], `row ${i}`).toBe(expected[i]);
      });
      const right = truth.filter((label, i) => label === predicted[i]).length / truth.length;
      expect(Math.abs(right - mim_lowshot.accuracy_test_rows_raw)).toBeLessThanOrEqual(1 / truth.length);
    }
  });

  it('takes labels of any names, and frees what it makes', () => {
    const [rows, test, names] = [at('train_x'), at('test_x'), labels('train_y')];
    const known = predictLabels(fitFewShots(rows, names, 10), test);
    const before = liveTensors().tensors;
    const others = names.map((label) => 100 - 7 * label);
    expect([...predictLabels(fitFewShots(rows, others, 10), test)]).toEqual([...known].map((label) => 100 - 7 * label));
    expect(liveTensors().tensors).toBe(before);
  });
});
