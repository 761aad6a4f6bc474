// N images · D width · K neighbours
import { UsageError } from '../../support/errors.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { classificationMetrics } from '../measure/classification-metrics.js';
import { hasClassToken } from '../measure/has-class-token.js';
import { imageCounts } from '../measure/image-counts.js';
import { matchClasses } from '../measure/match-classes.js';
import { pooledRequest, pooledRows } from '../measure/pooled-rows.js';
import { fitScaler, scaleRows } from '../measure/scalers.js';
import { curveOf, type EvaluationContext, type Judgement } from '../task.js';
import { voteClasses } from './knn-classification.js';
import type { KnnOptions } from './knn-options.js';
import { nearestNeighbours } from './nearest-neighbours.js';

/**
 * Classes of test images by the weighted vote of the nearest training images.
 *
 * @throws {DataError} a test image has a class that the training images lack.
 * @throws {UsageError} there are fewer training images than neighbours; the encoder lacks what stands for an image.
 */
export async function judgeKnn(context: EvaluationContext, options: KnnOptions): Promise<Judgement> {
  const { seed, resamples } = context;
  const { predicted, labels, settled, ks, counts } = await classifyByNeighbours(context, options);
  const found = predicted.map((classes) => {
    const metrics = (weights?: Uint32Array) => classificationMetrics(classes, labels, counts.classes, weights);
    return { metrics: metrics(), intervals: bootstrapIntervals(labels.length, metrics, { seed, resamples }) };
  });
  return {
    ...found[0]!,
    protocol: { ...settled, k: ks[0]! },
    counts,
    ...(ks.length > 1 && { curve: curveOf('k', ks, found) }),
  };
}

/**
 * Class ids of test images as predicted, for each number of neighbours `ks`, and as they are, both as those of the training
 * images; with what the protocol settled.
 *
 * @throws as {@link judgeKnn}.
 */
export async function classifyByNeighbours(context: EvaluationContext, options: KnnOptions) {
  const { data, device } = context;
  const choice = settle(context, options);
  const request = pooledRequest(context.encoder, choice);
  const train = await context.features('train', request);
  const test = await context.features('test', request);
  const ks = fitting(choice.ks, train.count);
  const k = Math.max(...ks);
  const [trainClasses, testClasses] = [data.train.classes!, data.test.classes!];
  const neighbours = scope(() => {
    const [train_ND, test_ND] = [pooledRows(train, choice), pooledRows(test, choice)];
    const scaler = choice.standardise ? fitScaler('StandardScaler', { all_ND: train_ND }) : undefined;
    const [test_QD, train_TD] = [test_ND, train_ND].map((all_ND) => scaleRows({ all_ND }, scaler)) as [Tensor, Tensor];
    return nearestNeighbours(test_QD, train_TD, { k, distance: options.distance, device });
  });
  const temperature = options.temperature === 'infinite' ? Number.POSITIVE_INFINITY : options.temperature;
  const labels = matchClasses(test.labels, testClasses, trainClasses);
  const { ks: _, ...settled } = choice;
  return {
    predicted: ks.map((votes) => voteClasses(neighbours, train.labels, trainClasses.length, temperature, votes)),
    ...{ labels, settled, ks },
    counts: { ...imageCounts(train, test), classes: trainClasses.length },
  };
}

/** Options with what the protocol says where nothing is given. */
function settle(context: EvaluationContext, options: KnnOptions) {
  const { protocol, view } = options;
  const published = protocol === 'mim-refiner';
  const classToken = published && options.pooling === undefined && hasClassToken(context);
  const preset = {
    plain: { pooling: 'patches', layers: 'output', ks: [10] },
    capi: { pooling: 'global', layers: 'output', ks: [20] },
    'mim-refiner': { pooling: classToken ? 'class' : 'patches', layers: 'last', ks: [10] },
  } as const;
  const { pooling, layers, ks } = preset[protocol];
  return {
    pooling: options.pooling ?? pooling,
    layers: options.layers ?? layers,
    view,
    standardise: options.standardise || published,
    ks: options.k ?? ks,
  };
}

/** As published, numbers of neighbours that there are not enough images for are left out. */
function fitting(ks: readonly number[], images: number): readonly number[] {
  const fit = ks.filter((k) => k <= images);
  if (fit.length > 0) return fit;
  throw new UsageError(`Expected 1 to ${images} neighbours, for there are ${images} training images, received ${ks}.`, {
    hint: 'Use more training images or a smaller k.',
  });
}
