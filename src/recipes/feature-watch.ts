// N images that are watched · B images of a batch · D width
import { type Dataset, evenlySpread } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import { voteClasses } from '../evals/knn/knn-classification.js';
import { type Neighbours, nearestNeighbours } from '../evals/knn/nearest-neighbours.js';
import { classificationMetrics } from '../evals/measure/classification-metrics.js';
import { askedImages, askedLabels } from '../features/asked-images.js';
import { evaluationView } from '../features/extraction-pass.js';
import { UsageError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import type { Method } from '../train/method.js';
import type { Judge } from '../train/train-loop.js';

/** MIM-Refiner metrics/knn.py. */
const K = 10;
const TEMPERATURE = 0.07;
const BATCH = 64;

export interface FeatureWatchOptions {
  readonly method: Method<unknown>;
  /** Labelled images. */
  readonly dataset: Dataset;
  /** Images that are taken of them, evenly spread. */
  readonly images: number;
  /** Steps between two measurements. */
  readonly every: number;
  /** Side of the images in pixels. */
  readonly size: number;
  readonly device: string;
  readonly workers: number;
  /** Takes what was measured. */
  readonly record: (step: number, values: Readonly<Record<string, number>>) => void;
}

/**
 * k-NN of a method's features while it trains: each labelled image is judged by all others of the sample, mean per class in
 * percent. Nothing of the training depends on it. Source: MIM-Refiner callbacks/offline_callbacks/offline_knn_metrics_callback.py,
 * which compares with 10 % of ImageNet.
 */
export function watchFeatures(options: FeatureWatchOptions): Judge {
  const { method, dataset, images, every, size, device, workers, record } = options;
  const classes = requireClasses(dataset);
  const order = evenlySpread(dataset, images);
  const look = async (step: number) => {
    const views = [evaluationView('resize-centre-crop', size)];
    const loader = new Loader({ dataset, views, batchSize: BATCH, order, seed: 0, workers });
    const parts = new Map<string, Tensor[]>();
    const labels: number[] = [];
    try {
      for await (const batch of loader) {
        if (batch.asked.length === 0) continue;
        labels.push(...askedLabels(batch));
        for (const [name, rows_BD] of scope(() => method.features!(askedImages(batch, size, device))))
          parts.set(name, [...(parts.get(name) ?? []), rows_BD]);
      }
      const judge = (rows: readonly Tensor[]) => scope(() => knn(ops.cat(rows), labels, classes.length, device));
      record(step, Object.fromEntries([...parts].map(([name, rows]) => [name, judge(rows)])));
    } finally {
      for (const tensor of [...parts.values()].flat()) tensor.dispose();
    }
  };
  return { every, atStart: true, look };
}

/** @throws {UsageError} the images have no class labels. */
export function requireClasses({ classes, spec }: Dataset): readonly string[] {
  if (classes !== undefined) return classes;
  throw new UsageError(`Expected labelled images for --watch, ${spec} has no classes.`, {
    hint: 'Give a folder with one sub-folder per class, or leave --watch out.',
  });
}

function knn(rows_ND: Tensor, labels: readonly number[], classes: number, device: string): number {
  const known = Int32Array.from(labels);
  const others = withoutThemselves(
    nearestNeighbours(rows_ND, rows_ND, { k: Math.min(K + 1, labels.length), distance: 'cosine', device }),
  );
  return classificationMetrics(voteClasses(others, known, classes, TEMPERATURE), known, classes).meanPerClass;
}

/** Neighbours of rows among the same rows, each without itself. */
function withoutThemselves({ k, indices, distances }: Neighbours): Neighbours {
  const places = Array.from({ length: indices.length / k }, (_, row) => {
    const own = Array.from({ length: k }, (_, i) => row * k + i).filter((place) => indices[place] !== row);
    // One of many equal rows may not be among its own neighbours: then the farthest goes.
    return own.slice(0, k - 1);
  }).flat();
  return {
    k: k - 1,
    indices: Int32Array.from(places, (place) => indices[place]!),
    distances: Float32Array.from(places, (place) => distances[place]!),
  };
}
