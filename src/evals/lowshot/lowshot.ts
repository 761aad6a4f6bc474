// N training images · M test images · D width · C classes
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { type LogisticFit, LogisticRegression, predictClasses } from '../logistic/logistic-regression.js';

/** The published gap to the minimum is 1e-3 at most. */
const TOLERANCE = 1e-4;

/** Each row less its own mean, with length one; a row of equal numbers stays zero. */
export function centredUnitRows(rows_ND: Tensor): Tensor {
  return scope(() => {
    const centred_ND = ops.sub(rows_ND, ops.meanDim(rows_ND, [1], true));
    return ops.div(centred_ND, ops.clampMin(ops.norm(centred_ND, 2, [1], true), 1e-30));
  });
}

/**
 * Fits a classifier without intercept to few images, whose rows are centred and normalised one by one.
 * Source: MIM-Refiner offline_logreg_callback.py (reference section 5.3), after MSN.
 *
 * @param labels any integers, two different ones at least
 * @returns the fit, and the label of each of its classes
 */
export function fitFewShots(
  rows_ND: Tensor,
  labels: Int32Array,
  strength: number,
): { fit: LogisticFit; names: Int32Array } {
  const names = Int32Array.from(new Set(labels)).sort();
  const places = new Map([...names].map((name, place) => [name, place]));
  using all_ND = centredUnitRows(rows_ND);
  const options = { classes: names.length, intercept: false, tolerance: TOLERANCE };
  using regression = new LogisticRegression(
    { all_ND },
    labels.map((label) => places.get(label)!),
    options,
  );
  return { fit: regression.fit(strength), names };
}

/** Labels of test rows, which are taken as they are, as published. */
export function predictLabels({ fit, names }: ReturnType<typeof fitFewShots>, rows_MD: Tensor): Int32Array {
  return predictClasses(fit, { all_ND: rows_MD }).map((place) => names[place]!);
}
