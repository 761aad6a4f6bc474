// N images · D width
import { scope } from '../../tensor/tensor.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { classificationMetrics } from '../measure/classification-metrics.js';
import { imageCounts } from '../measure/image-counts.js';
import { matchClasses } from '../measure/match-classes.js';
import { pooledKind } from '../measure/pooling-options.js';
import { fitScaler, scaleRows } from '../measure/scalers.js';
import type { EvaluationContext, Judgement } from '../task.js';
import { voteClasses } from './knn-classification.js';
import type { KnnOptions } from './knn-options.js';
import { nearestNeighbours } from './nearest-neighbours.js';

/**
 * Classes of test images by the weighted vote of the nearest training images, by cosine.
 *
 * @throws {DataError} a test image has a class that the training images lack.
 */
export async function judgeKnn(context: EvaluationContext, options: KnnOptions): Promise<Judgement> {
  const { k, temperature, pooling, view } = options;
  const { data, device, seed, resamples } = context;
  const kind = pooledKind(pooling);
  const train = await context.features('train', { view, kinds: [kind] });
  const test = await context.features('test', { view, kinds: [kind] });
  const [trainClasses, testClasses] = [data.train.classes!, data.test.classes!];
  const neighbours = scope(() => {
    const [train_ND, test_ND] = [train[`${kind}_ND`]!, test[`${kind}_ND`]!];
    const scaler = options.standardise ? fitScaler('StandardScaler', { all_ND: train_ND }) : undefined;
    const rows = [test_ND, train_ND].map((all_ND) => (scaler ? scaleRows({ all_ND }, scaler) : all_ND));
    return nearestNeighbours(rows[0]!, rows[1]!, { k, distance: 'cosine', device });
  });
  const predicted = voteClasses(neighbours, train.labels, trainClasses.length, temperature);
  const labels = matchClasses(test.labels, testClasses, trainClasses);
  const metrics = (weights?: Uint32Array) => classificationMetrics(predicted, labels, trainClasses.length, weights);
  return {
    metrics: metrics(),
    intervals: bootstrapIntervals(test.count, metrics, { seed, resamples }),
    protocol: { distance: 'cosine' },
    counts: { ...imageCounts(train, test), classes: trainClasses.length },
  };
}
