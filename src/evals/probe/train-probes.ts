import { infiniteSampler } from '../../data/infinite-sampler.js';
import { DataError, TrainingError } from '../../support/errors.js';
import { Generator } from '../../tensor/generator.js';
import type { EncodedBatch } from './encoded-images.js';
import type { HeadSpec } from './head-optimizers.js';
import { JudgedImages, type Predictions } from './judged-images.js';
import { type HeadProtocol, type ProbeFeatures, ProbeHeads } from './probe-heads.js';

/** What heads are trained and judged on: functions that begin to encode anew. */
export interface ProbeImages {
  /** Endless, augmented. */
  readonly train: (order: Iterator<number>) => AsyncIterable<EncodedBatch>;
  /** The images that choose and those that are reported, as they are. */
  readonly judged: (role: 'val' | 'test') => AsyncIterable<EncodedBatch>;
  readonly trainIndices: readonly number[];
  /** 0: the test images choose, as MIM-Refiner published. */
  readonly valCount: number;
  readonly testCount: number;
}

export interface TrainProbesOptions {
  readonly images: ProbeImages;
  readonly protocol: HeadProtocol;
  readonly grid: readonly HeadSpec[];
  readonly example: ProbeFeatures;
  readonly classes: number;
  readonly batchSize: number;
  readonly steps: number;
  /** Steps between two judgements; the last step always has one. The best of all counts. */
  readonly judgeEvery: number;
  readonly seed: number;
  readonly device: string;
  readonly onProgress: (stage: string, done: number, total: number, unit: string, note?: string) => void;
}

/** A head at its best step. */
export interface JudgedHead {
  readonly spec: HeadSpec;
  /** Shares of the images that choose and of the test images that are right, in percent. */
  readonly val: number;
  readonly test: number;
  /** Steps done. */
  readonly steps: number;
  /** Classes of the test images. */
  readonly predicted: Int32Array;
}

export interface TrainedProbes {
  /** At least one, in the order of the grid: those that were finite when they were judged. */
  readonly heads: readonly JudgedHead[];
  /** Classes of the test images, as the data set numbers them. */
  readonly testLabels: Int32Array;
  /** Mean cross-entropy of the last step, over the heads that it is finite for. */
  readonly loss: number;
}

/**
 * Trains all heads of a grid, one pass of the encoder a step, and judges them.
 * @param matched class ids of test images as those of training images
 * @throws {DataError} no training, held-out or test image can be read.
 * @throws {TrainingError} no head was finite when it was judged.
 */
export async function trainProbes(
  options: TrainProbesOptions,
  matched: (labels: Int32Array) => Int32Array,
): Promise<TrainedProbes> {
  const { images, grid, steps, judgeEvery, seed, onProgress, protocol } = options;
  using generator = new Generator(seed);
  const heads = new ProbeHeads({
    ...options,
    heads: grid,
    // 10 % in both; MIM-Refiner counts the last step as the end.
    warmupSteps: protocol === 'capi' ? Math.round(steps / 10) : Math.trunc((steps - 1) / 10),
    generator,
  });
  const judge = new HeadJudge(options, matched);
  const sampler = infiniteSampler({ size: images.trainIndices.length, seed });
  let step = 0;
  let loss = Number.NaN;
  let seen = 0;
  try {
    for await (const batch of images.train(through(sampler, images.trainIndices))) {
      seen += batch.size;
      if (batch.labels.length > 0) loss = heads.train(batch.features, batch.labels, step++);
      else if (step === 0 && seen >= images.trainIndices.length) throw new DataError('No training image can be read.');
      batch.dispose();
      onProgress('train', step, steps, 'steps', `loss ${loss.toFixed(3)}`);
      if (step === steps || (step > 0 && step % judgeEvery === 0)) await judge.look(heads, step);
      if (step === steps) break;
    }
    return { ...judge.result(), loss };
  } finally {
    judge.dispose();
    heads.dispose();
  }
}

/** Judges heads as they are trained and keeps the best of each. */
class HeadJudge {
  readonly #o: TrainProbesOptions;
  readonly #matched: (labels: Int32Array) => Int32Array;
  readonly #sets: { readonly val: JudgedImages | undefined; readonly test: JudgedImages };
  readonly #best: (JudgedHead | undefined)[] = [];
  #testLabels: Int32Array = new Int32Array();

  constructor(options: TrainProbesOptions, matched: (labels: Int32Array) => Int32Array) {
    const { images, steps, judgeEvery } = options;
    this.#o = options;
    this.#matched = matched;
    const again = judgeEvery < steps;
    const set = (role: 'val' | 'test', count: number) =>
      new JudgedImages({ count, again, encode: () => images.judged(role) });
    this.#sets = {
      val: images.valCount > 0 ? set('val', images.valCount) : undefined,
      test: set('test', images.testCount),
    };
  }

  async look(heads: ProbeHeads, steps: number): Promise<void> {
    const { grid, onProgress } = this.#o;
    const show = (stage: string) => (done: number, total: number) => onProgress(stage, done, total, 'images');
    const { val, test } = this.#sets;
    // A head that is not finite says nothing, and keeps what it was before.
    const finite = heads.finite();
    if (!finite.includes(true)) return;
    const better = (shares: readonly number[]) =>
      grid.map((_, place) => finite[place]! && shares[place]! > (this.#best[place]?.val ?? -1));
    const chosenBy = val && sharesRight(await readable(val.predict(heads, show('val')), 'held-out'));
    if (chosenBy && !better(chosenBy).includes(true)) return;
    const found = await readable(test.predict(heads, show('test')), 'test');
    const labels = this.#matched(found.labels);
    this.#testLabels = labels;
    const shares = sharesRight({ predicted: found.predicted, labels });
    const scores = chosenBy ?? shares;
    const improved = better(scores);
    for (const [place, spec] of grid.entries()) {
      if (!improved[place]) continue;
      this.#best[place] = {
        spec,
        val: scores[place]!,
        test: shares[place]!,
        steps,
        predicted: found.predicted[place]!,
      };
    }
  }

  result(): Pick<TrainedProbes, 'heads' | 'testLabels'> {
    const heads = this.#best.filter((head) => head !== undefined);
    if (heads.length === 0)
      throw new TrainingError(`None of the ${this.#o.grid.length} heads has finite weights after training.`, {
        hint: 'The encoder’s features are not finite, or so large that every learning rate is too high: look at them with tessera features.',
      });
    return { heads, testLabels: this.#testLabels };
  }

  dispose(): void {
    this.#sets.val?.dispose();
    this.#sets.test.dispose();
  }
}

async function readable(found: Promise<Predictions>, what: string): Promise<Predictions> {
  const predictions = await found;
  if (predictions.labels.length === 0) throw new DataError(`No ${what} image can be read.`);
  return predictions;
}

/** In percent, by head. */
function sharesRight({ predicted, labels }: Predictions): number[] {
  return predicted.map((row) => {
    let right = 0;
    for (const [i, label] of labels.entries()) if (row[i] === label) right++;
    return (100 * right) / labels.length;
  });
}

function* through(order: Iterator<number>, indices: readonly number[]): IterableIterator<number> {
  for (let next = order.next(); !next.done; next = order.next()) yield indices[next.value]!;
}
