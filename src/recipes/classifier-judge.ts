import type { Dataset } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import type { View } from '../data/views.js';
import { bootstrapIntervals } from '../evals/measure/bootstrap.js';
import { type ClassificationMetrics, classificationMetrics } from '../evals/measure/classification-metrics.js';
import { matchClasses } from '../evals/measure/match-classes.js';
import type { Intervals } from '../evals/task.js';
import { askedLabels } from '../features/asked-images.js';
import type { Finetune } from '../methods/finetune/finetune.js';
import type { EventLog } from '../runs/event-log.js';
import { DataError } from '../support/errors.js';
import { Progress } from '../support/progress.js';
import type { Method } from '../train/method.js';

/** What a classifier is judged on, and how often. */
export interface Judging {
  readonly test: Dataset;
  /** Class names of the training images, by id. */
  readonly classes: readonly string[];
  /** Steps between two judgements. */
  readonly every: number;
  readonly view: View;
  /** Decoding threads. */
  readonly workers: number;
  /** Seed of the intervals. */
  readonly seed: number;
}

/** What was found of a classifier at one step. Plain data, in percent. */
export interface JudgedClassifier {
  readonly step: number;
  readonly metrics: ClassificationMetrics;
  /** 95 % bootstrap intervals over test images. */
  readonly intervals: Intervals;
  readonly counts: { readonly testImages: number; readonly brokenImages: number };
}

/** Images classified at once. */
const BATCH = 64;

/** Judges a classifier while it is trained, and writes what it finds into the events of the run. */
export class ClassifierJudge {
  latest: JudgedClassifier | undefined;
  readonly every: number;
  readonly #judging: Judging;
  readonly #method: Pick<Finetune, 'classify'>;
  readonly #log: EventLog;

  /** @param method a `Finetune` */
  constructor(judging: Judging, method: Method<unknown>, log: EventLog) {
    this.#judging = judging;
    this.#method = method as unknown as Finetune;
    this.#log = log;
    this.every = judging.every;
  }

  /** @throws {DataError} no test image can be read, or too many are broken. */
  readonly look = async (step: number): Promise<void> => {
    const { test, classes, seed } = this.#judging;
    const { predicted, labels } = await this.#predict();
    const truth = matchClasses(labels, test.classes!, classes);
    const judged = (weights?: Uint32Array) => classificationMetrics(predicted, truth, classes.length, weights);
    const metrics = judged();
    this.latest = {
      step,
      metrics,
      intervals: bootstrapIntervals(truth.length, judged, { seed }),
      counts: { testImages: truth.length, brokenImages: test.size - truth.length },
    };
    this.#log.append({ type: 'evaluation', step, task: 'finetune', encoder: 'student', metrics });
  };

  async #predict(): Promise<{ predicted: Int32Array; labels: Int32Array }> {
    const { test, view, workers } = this.#judging;
    const [predicted, labels]: [number[], number[]] = [[], []];
    const order = Array(test.size).keys();
    const progress = new Progress('test', test.size, { unit: 'images' });
    const loader = new Loader({ dataset: test, views: [view], batchSize: BATCH, order, seed: 0, workers });
    let done = 0;
    for await (const batch of loader) {
      const found = this.#method.classify(batch.images, batch.size);
      predicted.push(...batch.asked.map((row) => found[row]!));
      labels.push(...askedLabels(batch));
      done += batch.size;
      progress.update(done);
    }
    progress.finish();
    if (labels.length === 0) throw new DataError('No test image can be read.');
    return { predicted: Int32Array.from(predicted), labels: Int32Array.from(labels) };
  }
}
