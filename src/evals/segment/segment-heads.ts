// R patches of a batch of images · A pixels of a patch · C classes
import { infiniteSampler } from '../../data/infinite-sampler.js';
import { TrainingError, UsageError } from '../../support/errors.js';
import { Generator } from '../../tensor/generator.js';
import { scope } from '../../tensor/tensor.js';
import type { HeadSpec } from '../probe/head-optimizers.js';
import { type ProbeFeatures, ProbeHeads } from '../probe/probe-heads.js';
import { pickBlocks } from './labelled-patches.js';
import { pixelTargets } from './pixel-targets.js';
import { countPatches, type PixelCounts, segmentationMetrics } from './segmentation-metrics.js';

/** Labelled images with frozen features. */
export interface HeadImages {
  readonly count: number;
  /** (patches of all images, A) class ids of the pixels. */
  readonly blocks: Uint8Array;
  /** Features (R, D) of the patches of some images by source, which the caller disposes of. */
  read(images: readonly number[]): ProbeFeatures;
}

export interface SegmentHeadsOptions {
  readonly train: HeadImages;
  readonly test: HeadImages;
  /** Of the training images. */
  readonly trainIndices: readonly number[];
  /** Of the training images, those that choose; without any the test images do. */
  readonly valIndices: readonly number[];
  /** Pixels of a patch. */
  readonly area: number;
  readonly grid: readonly HeadSpec[];
  /** Images a step, and of a batch that is judged. */
  readonly batchSize: number;
  readonly judgeBatch: number;
  readonly steps: number;
  /** Steps between two judgements; the last step always has one. */
  readonly judgeEvery: number;
  readonly ignored: ReadonlySet<number>;
  readonly seed: number;
  readonly device: string;
  readonly onProgress: (stage: string, done: number, total: number, unit: string, note?: string) => void;
}

/** A head at its best step. */
export interface SegmentHead {
  readonly spec: HeadSpec;
  /** mIoU of the images that choose, in percent, after so many steps. */
  readonly val: number;
  readonly steps: number;
}

export interface SegmentHeadsResult {
  readonly best: SegmentHead;
  /** All that were finite when they were judged, in the order of the grid. */
  readonly heads: readonly SegmentHead[];
  /** Mean cross-entropy of the last step. */
  readonly loss: number;
  readonly classes: number;
  /** Pixels of each test image, by the best head. */
  readonly counts: readonly PixelCounts[];
}

/**
 * Linear heads behind a batch norm over all patches, trained on pixels. Source: MIM-Refiner models/probe/semseg_probe.py,
 * utils/processors/probe_processor.py, as the single-crop evaluation has it, without augmentation.
 *
 * @throws {UsageError} the training images have fewer than two classes. @throws {TrainingError} every head diverged.
 */
export async function segmentByHeads(options: SegmentHeadsOptions): Promise<SegmentHeadsResult> {
  const { train, trainIndices, grid, steps, judgeEvery, seed, onProgress, area, batchSize, ignored } = options;
  const pixelsOf = (images: readonly number[]) => pixelsIn(train, images);
  // Images without a pixel that counts have no loss.
  const usable = trainIndices.filter((image) => pixelsOf([image]).some((label) => !ignored.has(label)));
  const names = Uint8Array.from(new Set(pixelsOf(usable).filter((label) => !ignored.has(label)))).sort();
  if (names.length < 2) throw new UsageError(`Expected two classes or more to train on, received ${names.length}.`);
  using generator = new Generator(seed);
  const example = train.read(usable.slice(0, 1));
  const warmupSteps = Math.trunc((steps - 1) / 10);
  const heads = new ProbeHeads({
    ...{ protocol: 'mim', heads: grid, example, classes: names.length, generator, device: options.device },
    ...{ batchSize, steps, warmupSteps },
  });
  free(example);
  const judge = new SegmentJudge(options, names);
  const sampler = infiniteSampler({ size: usable.length, seed });
  let loss = Number.NaN;
  try {
    for (let step = 0; step < steps; step++) {
      const images = Array.from({ length: Math.min(batchSize, usable.length) }, () => usable[sampler.next().value]!);
      scope(() => {
        loss = heads.train(train.read(images), pixelTargets(pixelsOf(images), names, area), step);
      });
      onProgress('train', step + 1, steps, 'steps', `loss ${loss.toFixed(3)}`);
      if (step + 1 === steps || (step + 1) % judgeEvery === 0) judge.look(heads, step + 1);
      // Timers and signals have their turn.
      await new Promise(setImmediate);
    }
    return { ...judge.result(), loss, classes: names.length };
  } finally {
    heads.dispose();
  }
}

/** Judges heads as they are trained, and keeps the pixels of the best. */
class SegmentJudge {
  readonly #o: SegmentHeadsOptions;
  readonly #names: Uint8Array;
  readonly #heads: (SegmentHead | undefined)[] = [];
  #best: { readonly head: SegmentHead; readonly counts: readonly PixelCounts[] } | undefined;

  constructor(options: SegmentHeadsOptions, names: Uint8Array) {
    this.#o = options;
    this.#names = names;
  }

  look(heads: ProbeHeads, steps: number): void {
    const { grid, train, test, valIndices } = this.#o;
    // A head that is not finite says nothing, and keeps what it was before.
    const finite = heads.finite();
    const everything = [...Array(test.count).keys()];
    const onTest = valIndices.length === 0;
    const counted = onTest
      ? this.#count(heads, test, everything, 'test')
      : this.#count(heads, train, valIndices, 'val');
    let best = this.#best?.head;
    for (const [i, spec] of grid.entries()) {
      const head = { spec, val: segmentationMetrics(counted[i]!).miou, steps };
      if (!finite[i] || head.val <= (this.#heads[i]?.val ?? -1)) continue;
      this.#heads[i] = head;
      if (head.val > (best?.val ?? -1)) best = head;
    }
    if (!best || best === this.#best?.head) return;
    const counts = onTest ? counted : this.#count(heads, test, everything, 'test');
    this.#best = { head: best, counts: counts[grid.indexOf(best.spec)]! };
  }

  result(): Pick<SegmentHeadsResult, 'best' | 'heads' | 'counts'> {
    const heads = this.#heads.filter((head) => head !== undefined);
    if (!this.#best) {
      throw new TrainingError(`None of the ${this.#o.grid.length} heads has finite weights after training.`, {
        hint: 'Every learning rate is too high for these features: give lower ones.',
      });
    }
    return { best: this.#best.head, heads, counts: this.#best.counts };
  }

  /** Pixels of each image, by head. */
  #count(heads: ProbeHeads, set: HeadImages, images: readonly number[], stage: string): PixelCounts[][] {
    const { judgeBatch, ignored, grid, onProgress } = this.#o;
    const found = grid.map((): PixelCounts[] => []);
    for (let at = 0; at < images.length; at += judgeBatch) {
      const batch = images.slice(at, at + judgeBatch);
      const blocks = pixelsIn(set, batch);
      const predicted = scope(() => heads.predict(set.read(batch)));
      for (const [i, places] of predicted.entries()) {
        const labels = Uint8Array.from(places, (place) => this.#names[place]!);
        found[i]!.push(...countPatches(blocks, labels, batch.length, ignored));
      }
      onProgress(stage, at + batch.length, images.length, 'images');
    }
    return found;
  }
}

/** Labels of the patches of some images, in their order. */
function pixelsIn({ blocks, count }: HeadImages, images: readonly number[]): Uint8Array {
  return pickBlocks(blocks, images, blocks.length / count);
}

function free(features: ProbeFeatures): void {
  for (const tensor of features.values()) tensor.dispose();
}
