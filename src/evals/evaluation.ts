import type { Dataset } from '../data/dataset.js';
import type { EvaluationView } from '../features/extract.js';
import type { ImageEncoder } from '../models/encoder.js';
import type { Interval } from './bootstrap.js';
import type { Distance } from './nearest-neighbours.js';

/** What every task takes. */
interface CommonOptions {
  readonly encoder: ImageEncoder;
  /** An untrained encoder, judged as well: the floor. */
  readonly floor?: ImageEncoder;
  readonly test: Dataset;
  /** Side of the images in pixels, a multiple of the patch size. */
  readonly size: number;
  /** Standardise features with the statistics of the training features, or of the test features without such (false). */
  readonly standardise?: boolean;
  /** Seed of everything drawn (0). */
  readonly seed?: number;
  /** Resamples behind an interval (1000). */
  readonly resamples?: number;
  /** Images embedded at once, decoding threads, and where the encoder is: as in `extractFeatures`. */
  readonly batchSize?: number;
  readonly workers?: number;
  readonly device?: string;
  /** Called as the images of a data set (`train`, `test`, `floor train`, `floor test`) pass through an encoder. */
  readonly onProgress?: (stage: string, done: number, total: number) => void;
}

/** Judged by the nearest of other images. */
interface ComparedOptions extends CommonOptions {
  readonly train: Dataset;
}

/** Classes of images by the weighted vote of the nearest ones. */
export interface KnnOptions extends ComparedOptions {
  readonly task: 'knn';
  /** Neighbours that vote (10). */
  readonly k?: number;
  /** Of the weights exp(cosine / temperature) (0.07). */
  readonly temperature?: number;
  /** What stands for an image: the mean of its patches (default) or its global vector. */
  readonly pooling?: 'patches' | 'global';
  /** How images are cut (`resize-centre-crop`, as published). */
  readonly view?: EvaluationView;
}

/** Classes of pixels by the nearest patches. Images are resized to squares, as published. */
export interface SegmentKnnOptions extends ComparedOptions {
  readonly task: 'segment-knn';
  /** Neighbours that vote (20), and by which distance (cosine). */
  readonly k?: number;
  readonly distance?: Distance;
  /** Choose k and distance on a tenth of the training images instead (false). */
  readonly search?: boolean;
  /** Training patches that vote at most (100 000); `Infinity` keeps all, as published. */
  readonly maxTrainPatches?: number;
}

/** Whether images of a class lie together: k-means against classes, and the separation of classes. */
export interface ClusterOptions extends CommonOptions {
  readonly task: 'cluster';
  /** Clusters (as many as classes), and runs of k-means of which the best counts (10). */
  readonly clusters?: number;
  readonly runs?: number;
  /** As for `knn`. */
  readonly pooling?: 'patches' | 'global';
  readonly view?: EvaluationView;
}

export type EvaluateOptions = KnnOptions | SegmentKnnOptions | ClusterOptions;

/** The settings where nothing is said. CAPI's published segmentation has search, standardise and no limit instead. */
export const evaluationDefaults = {
  knn: { k: 10, temperature: 0.07, pooling: 'patches', view: 'resize-centre-crop' },
  cluster: { runs: 10, pooling: 'patches', view: 'resize-centre-crop' },
  segmentKnn: { k: 20, distance: 'cosine', maxTrainPatches: 100_000 },
} as const;

/**
 * Percentages by name: `top1` and `meanPerClass`; `miou` and `pixelAccuracy`; `accuracy`, `nmi`, `ami`, `ari` and
 * `silhouette`; and `daviesBouldin`, which is none: 0 is best.
 */
export type Metrics = Readonly<Record<string, number>>;
/** 95 % bootstrap intervals over test images, by the name of the metric; not every metric has one. */
export type Intervals = Readonly<Record<string, Interval>>;

/** What was found of one encoder. */
export interface Judgement {
  readonly metrics: Metrics;
  readonly intervals: Intervals;
  /** The settings that led there. */
  readonly protocol: Readonly<Record<string, unknown>>;
  readonly counts: Readonly<Record<string, number>>;
}

/** What an evaluation found, and everything that it depends on. Plain data. */
export interface EvaluationResult extends Judgement {
  readonly task: EvaluateOptions['task'];
  /** The same for the untrained encoder. */
  readonly floor?: Metrics;
  readonly floorIntervals?: Intervals;
}
