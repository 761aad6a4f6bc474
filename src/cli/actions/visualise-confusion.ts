import type { Dataset } from '../../data/dataset.js';
import { openDataset } from '../../data/spec.js';
import { voteClasses } from '../../evals/knn/knn-classification.js';
import { nearestNeighbours } from '../../evals/knn/nearest-neighbours.js';
import { matchClasses } from '../../evals/measure/match-classes.js';
import { extractFeatures, type Features } from '../../features/extract.js';
import { DataError } from '../../support/errors.js';
import { Progress } from '../../support/progress.js';
import { type Confusion, drawConfusionSheet } from '../../visualise/confusion-sheet.js';
import type { ModelPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { type OpenModel, openModel } from './open-model.js';
import { writePicture } from './write-picture.js';

/** The checked options of `tessera visualise confusion`. */
export type VisualiseConfusionOptions = ModelPictureOptions & {
  readonly train: string;
  readonly test: string;
  readonly k: number | undefined;
  readonly pooling: 'patches' | 'global';
};

/** As in `tessera eval knn`. */
const [NEIGHBOURS, TEMPERATURE] = [10, 0.07];

/** `tessera visualise confusion`: JSON with `out`, `classes`, `counts` (true class by predicted class), `k`, `size`. */
export async function visualiseConfusion(options: VisualiseConfusionOptions): Promise<CommandResult> {
  const { k = NEIGHBOURS } = options;
  const [train, test] = [await openClasses(options.train), await openClasses(options.test)];
  const model = await openModel(options.model, options);
  try {
    const size = options.size ?? model.size;
    const confusion = await confusionOf(model, train, test, { ...options, k, size });
    const images = confusion.counts.flat().reduce((sum, count) => sum + count, 0);
    const name = model.run?.name ?? options.model;
    return writePicture(
      {
        name: 'confusion',
        content: drawConfusionSheet(
          confusion,
          `Classes by the ${k} nearest neighbours of ${name} · ${size} x ${size} pixels`,
        ),
        text: {
          title: 'Which classes are taken for others',
          caption: `Rows are true classes, columns those that the ${k} nearest training images vote for: dark cells beside the diagonal are kinds of things that the encoder does not tell apart.`,
        },
        facts: [['images', `${images} of ${confusion.classes.length} classes`]],
        json: { ...confusion, k, size },
      },
      { run: model.run, out: options.out },
    );
  } finally {
    model.encoder.dispose();
  }
}

async function openClasses(spec: string): Promise<Dataset> {
  const dataset = await openDataset(spec);
  if (dataset.classes !== undefined) return dataset;
  throw new DataError(`Expected images with classes, ${spec} has none.`, {
    hint: 'Give a folder with one sub-folder per class, or another labelled data set.',
  });
}

async function confusionOf(
  { encoder }: OpenModel,
  train: Dataset,
  test: Dataset,
  options: VisualiseConfusionOptions & { k: number; size: number },
): Promise<Confusion> {
  const { k, size, device = 'cpu', pooling } = options;
  const kind = pooling === 'global' ? 'global' : 'patchMean';
  const extract = async (stage: string, dataset: Dataset) => {
    using progress = new Progress(stage, dataset.size, { unit: 'images' });
    const view = 'resize-centre-crop';
    const onProgress = (done: number) => progress.update(done);
    const features = await extractFeatures({ encoder, dataset, size, device, view, kinds: [kind], onProgress });
    progress.finish();
    return features;
  };
  const known = await extract('train', train);
  let asked: Features | undefined;
  try {
    asked = await extract('test', test);
    const [train_ND, test_ND] = [known[`${kind}_ND`]!, asked[`${kind}_ND`]!];
    const neighbours = nearestNeighbours(test_ND, train_ND, { k, distance: 'cosine', device });
    const classes = train.classes!;
    const predicted = voteClasses(neighbours, known.labels, classes.length, TEMPERATURE);
    const actual = matchClasses(asked.labels, test.classes!, classes);
    const counts = classes.map(() => classes.map(() => 0));
    for (const [i, label] of actual.entries()) counts[label]![predicted[i]!]!++;
    return { classes, counts };
  } finally {
    known.dispose();
    asked?.dispose();
  }
}
