import type { Dataset } from '../../data/dataset.js';
import { openDataset } from '../../data/spec.js';
import { checkTask } from '../../evals/evaluate.js';
import { withContext } from '../../evals/evaluation-context.js';
import { classifyByNeighbours } from '../../evals/knn/judge-knn.js';
import type { KnnOptions } from '../../evals/knn/knn-options.js';
import type { DataRole, EvaluationContext } from '../../evals/task.js';
import { type Confusion, drawConfusionSheet } from '../../visualise/confusion-sheet.js';
import type { ModelPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { type OpenModel, openModel } from './open-model.js';
import { stagedProgress } from './staged-progress.js';
import { writePicture } from './write-picture.js';

/** The checked options of `tessera visualise confusion`. */
export type VisualiseConfusionOptions = ModelPictureOptions & {
  readonly train: string;
  readonly test: string;
  readonly k: number | undefined;
  readonly pooling: 'patches' | 'global';
};

/** `tessera visualise confusion`: JSON with `out`, `classes`, `counts` (true class by predicted class), `k`, `size`. */
export async function visualiseConfusion(options: VisualiseConfusionOptions): Promise<CommandResult> {
  const { k = 10, pooling, device } = options;
  const data = { train: await openDataset(options.train), test: await openDataset(options.test) };
  const { own } = checkTask('knn', { k: [k], pooling }, data);
  const model = await openModel(options.model, options);
  try {
    const size = options.size ?? model.size;
    const confusion = await confusionOf(model, data, own as KnnOptions, size, device);
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

/** As `tessera eval knn` classifies. */
async function confusionOf(
  { encoder }: OpenModel,
  data: Readonly<Record<DataRole, Dataset>>,
  own: KnnOptions,
  size: number,
  device: string | undefined,
): Promise<Confusion> {
  using progress = stagedProgress();
  const settings = { size, device, onProgress: progress.update };
  const use = (context: EvaluationContext) => classifyByNeighbours(context, own);
  const { predicted, labels } = await withContext(settings, encoder, data, '', use);
  const classes = data.train.classes!;
  const counts = classes.map(() => classes.map(() => 0));
  for (const [i, label] of labels.entries()) counts[label]![predicted[0]![i]!]!++;
  return { classes, counts };
}
