// N images · D width
import type { Features } from '../features/extract.js';
import { DataError } from '../support/errors.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { bootstrapIntervals } from './bootstrap.js';
import { evaluationDefaults, type Judgement, type KnnOptions } from './evaluation.js';
import { classificationMetrics, voteClasses } from './knn-classification.js';
import { nearestNeighbours } from './nearest-neighbours.js';
import { fitScaler, standardise_ } from './standardise.js';
import { imageCounts, withFeatures } from './with-features.js';

/**
 * Classes of test images by the weighted vote of the nearest training images, by cosine.
 *
 * @throws {DataError} a test image has a class that the training images lack.
 */
export function judgeClassification(options: KnnOptions): Promise<Judgement> {
  const { view = evaluationDefaults.knn.view, pooling = evaluationDefaults.knn.pooling } = options;
  const kind = pooling === 'global' ? 'global' : 'patchMean';
  return withFeatures(options, { view, kinds: [kind] }, (train, test) =>
    judgeFeatures(options, train, test, { train: train[`${kind}_ND`]!, test: test[`${kind}_ND`]! }, { view, pooling }),
  );
}

function judgeFeatures(
  options: KnnOptions,
  train: Features,
  test: Features,
  features_ND: { readonly train: Tensor; readonly test: Tensor },
  cut: Record<string, unknown>,
): Judgement {
  const { k = evaluationDefaults.knn.k, temperature = evaluationDefaults.knn.temperature } = options;
  const { device = 'cpu', seed = 0, resamples = 1000, standardise = false } = options;
  const [trainClasses, testClasses] = [options.train.classes!, options.test.classes!];
  if (standardise) {
    scope(() => {
      const scaler = fitScaler(features_ND.train);
      standardise_(features_ND.train, scaler);
      standardise_(features_ND.test, scaler);
    });
  }
  const neighbours = nearestNeighbours(features_ND.test, features_ND.train, { k, distance: 'cosine', device });
  const predicted = voteClasses(neighbours, train.labels, trainClasses.length, temperature);
  const labels = matchClasses(test.labels, testClasses, trainClasses);
  const metrics = (weights?: Uint32Array) => classificationMetrics(predicted, labels, trainClasses.length, weights);
  return {
    metrics: metrics(),
    intervals: bootstrapIntervals(test.count, metrics, { seed, resamples }),
    protocol: { ...cut, distance: 'cosine', k, temperature },
    counts: { ...imageCounts(train, test), classes: trainClasses.length },
  };
}

/** Class ids of the test images as those of the training images: the same names need not have the same ids. */
function matchClasses(labels: Int32Array, from: readonly string[], to: readonly string[]): Int32Array {
  const ids = from.map((name) => to.indexOf(name));
  const unknown = [...new Set(labels)].filter((label) => ids[label] === -1).map((label) => from[label]!);
  if (unknown.length > 0) {
    throw new DataError(
      `Expected training images of every class that is tested, found none of ${unknown.slice(0, 10).join(', ')}` +
        `${unknown.length > 10 ? ` and ${unknown.length - 10} more` : ''}.`,
      { hint: 'Give training and test images with the same class names.' },
    );
  }
  return labels.map((label) => ids[label]!);
}
