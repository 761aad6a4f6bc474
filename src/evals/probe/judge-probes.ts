import { evaluationView } from '../../features/extraction-pass.js';
import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { bootstrapIntervals } from '../measure/bootstrap.js';
import { classificationMetrics } from '../measure/classification-metrics.js';
import { matchClasses } from '../measure/match-classes.js';
import { splitImages } from '../measure/split-images.js';
import type { EvaluationContext, Judgement } from '../task.js';
import { encodedImages } from './encoded-images.js';
import { capiGridSources, headGrid, type ProbeGrid } from './probe-grids.js';
import type { ProbeFeatures } from './probe-heads.js';
import { sourceMetric } from './probe-metrics.js';
import type { ProbeOptions } from './probe-options.js';
import { capiSource, mimSources, type ProbeSource, readSources } from './probe-sources.js';
import type { SourceName } from './source-names.js';
import { type JudgedHead, type ProbeImages, type TrainedProbes, trainProbes } from './train-probes.js';

/** The published seed of the split and of the order. */
const SEED = 42;
/** Shares of the image's area that a training crop covers. */
const CROP = [0.08, 1] as const;

/**
 * Classes of test images by heads that are trained on frozen features of augmented images; of every source the head
 * counts that is best on held-out training images. Sources: CAPI eval_classification.py; MIM-Refiner section 5.2 of the
 * released evaluations (yamls/eval/probe).
 *
 * @throws {DataError} a test image has a class that the training images lack, or too many images are broken.
 * @throws {UsageError} too few training images are left to train on.
 * @throws {TrainingError} every head diverged.
 */
export async function judgeProbes(
  context: EvaluationContext<'train' | 'test'>,
  options: ProbeOptions,
  grid: ProbeGrid,
): Promise<Judgement> {
  const { data, device } = context;
  const [trainClasses, testClasses] = [data.train.classes!, data.test.classes!];
  // Training is long: what its end would refuse is refused before it.
  const matched = (labels: Int32Array) => matchClasses(labels, testClasses, trainClasses);
  matched(Int32Array.from({ length: data.test.size }, (_, i) => data.test.item(i).label!));
  const seed = SEED + context.seed;
  const sources = probeSources(context, grid);
  const images = probeImages(context, options, sources, seed);
  const specs = sources.flatMap(({ name }) => headGrid(grid, name));
  const batchSize = Math.min(options.batch, images.trainIndices.length);
  const epoch = Math.max(1, Math.floor(images.trainIndices.length / batchSize));
  const { steps = options.epochs * epoch } = options;
  const example = exampleFeatures(context, sources);
  try {
    const found = await trainProbes(
      {
        images,
        protocol: grid === 'mim' ? 'mim' : 'capi',
        grid: specs,
        example,
        classes: trainClasses.length,
        batchSize,
        steps,
        judgeEvery: grid === 'mim' ? epoch : steps,
        seed,
        device,
        onProgress: context.progress,
      },
      matched,
    );
    const counts = {
      trainImages: images.trainIndices.length,
      valImages: images.valCount,
      testImages: found.testLabels.length,
      brokenImages: images.testCount - found.testLabels.length,
      classes: trainClasses.length,
      heads: specs.length,
      ...(found.heads.length < specs.length && { divergedHeads: specs.length - found.heads.length }),
    };
    return { ...judgement(context, found, options.valShare > 0 ? 'val' : 'test'), counts };
  } finally {
    for (const tensor of example.values()) tensor.dispose();
  }
}

function probeSources({ encoder, size, device }: EvaluationContext, grid: ProbeGrid): ProbeSource[] {
  if (grid !== 'mim') return capiGridSources[grid].map(capiSource);
  return scope(() => mimSources(encoder, encoder.embed(noise(size, device))));
}

function exampleFeatures({ encoder, size, device }: EvaluationContext, sources: readonly ProbeSource[]): ProbeFeatures {
  return scope(() => readSources(encoder, sources, noise(size, device)));
}

/** An image for the shapes of features. */
function noise(size: number, device: string): Tensor {
  using generator = new Generator(0, device);
  return ops.randn([1, 3, size, size], generator, 'float32', device);
}

function probeImages(
  context: EvaluationContext<'train' | 'test'>,
  { valShare, view, batch }: ProbeOptions,
  sources: readonly ProbeSource[],
  seed: number,
): ProbeImages {
  const { encoder, data, size, workers, device } = context;
  const { trainIndices, valIndices } = splitImages(data.train.size, valShare, { seed, least: 2 });
  const shared = { encoder, sources, seed, workers, device };
  return {
    trainIndices,
    valCount: valIndices.length,
    testCount: data.test.size,
    train: (endless) =>
      encodedImages({
        ...shared,
        dataset: data.train,
        order: endless,
        view: { kind: 'random-resized-crop', size, scale: CROP, flip: true },
        batchSize: Math.min(batch, trainIndices.length),
      }),
    judged: (role) =>
      encodedImages({
        ...shared,
        dataset: role === 'val' ? data.train : data.test,
        order: role === 'val' ? valIndices.values() : Array(data.test.size).keys(),
        view: evaluationView(view, size),
        batchSize: context.batchSize,
      }),
  };
}

/** The best head of each source and of all; of equal ones the first. */
function judgement(
  { seed, resamples, data }: EvaluationContext<'train' | 'test'>,
  { heads, testLabels, loss }: TrainedProbes,
  chosenOn: 'val' | 'test',
): Pick<Judgement, 'metrics' | 'intervals' | 'protocol' | 'details'> {
  const first = (list: readonly JudgedHead[]) => list.reduce((best, head) => (head.val > best.val ? head : best));
  const bySource = [...new Set(heads.map(({ spec }) => spec.source as SourceName))].map((source) => ({
    source,
    head: first(heads.filter(({ spec }) => spec.source === source)),
  }));
  const best = first(heads);
  const judged = (weights?: Uint32Array) => ({
    ...classificationMetrics(best.predicted, testLabels, data.train.classes!.length, weights),
    ...Object.fromEntries(
      bySource.map(({ source, head }) => [sourceMetric(source), top1(head.predicted, testLabels, weights)]),
    ),
  });
  const chosen = ({ spec, val, steps }: JudgedHead) => ({ ...spec, val, steps });
  return {
    metrics: judged(),
    intervals: bootstrapIntervals(testLabels.length, judged, { seed, resamples }),
    protocol: {
      chosenOn,
      source: best.spec.source,
      lr: best.spec.lr,
      weightDecay: best.spec.weightDecay,
      chosen: Object.fromEntries(bySource.map(({ source, head }) => [source, chosen(head)])),
      loss,
    },
    details: { heads: heads.map((head) => ({ ...chosen(head), test: head.test })) },
  };
}

/** In percent. */
function top1(predicted: Int32Array, labels: Int32Array, weights?: Uint32Array): number {
  let [right, all] = [0, 0];
  for (const [i, label] of labels.entries()) {
    const weight = weights?.[i] ?? 1;
    all += weight;
    if (predicted[i] === label) right += weight;
  }
  return (100 * right) / all;
}
