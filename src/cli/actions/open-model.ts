import { basename, dirname, resolve } from 'node:path';
import { engine } from '../../engine/addon.js';
import { colourBaseline } from '../../evals/baseline/colour-baseline.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { loadEncoder } from '../../models/load-encoder.js';
import { trainedImageSize } from '../../recipes/trained-image-size.js';
import { RunFolder } from '../../runs/run-folder.js';

/** The side of images of encoders that no run describes, about: what both published methods evaluate at. */
const PUBLISHED_SIZE = 224;
const BASELINE = 'baseline:colour';
/** 12 x 12 patches of the built-in scenes, and a divisor of the published size. */
const BASELINE_PATCH = 8;

/** An encoder as a command was given it. */
export interface OpenModel {
  readonly encoder: ImageEncoder;
  /** The run that it is from, where the model is a run folder. */
  readonly run: RunFolder | undefined;
  /** Side of the images that it was trained on or only takes, else about 224. */
  readonly size: number;
  /** It has learnt nothing: colours, or random weights. */
  readonly untrained: boolean;
}

/**
 * Opens `--model`: what `loadEncoder` takes, or `baseline:colour`. Sets the engine's threads before.
 *
 * @throws as `loadEncoder`.
 */
export async function openModel(
  model: string,
  options: {
    readonly weights: 'student' | 'teacher';
    readonly device: string | undefined;
    readonly threads?: number | undefined;
  },
): Promise<OpenModel> {
  if (options.threads !== undefined) engine().setThreads(options.threads);
  const random = model.startsWith('random:');
  const path = random ? model.slice('random:'.length) : model;
  const encoder =
    model === BASELINE
      ? colourBaseline(BASELINE_PATCH)
      : await loadEncoder(model, { weights: options.weights, device: options.device ?? 'cpu' });
  const near = Math.max(1, Math.round(PUBLISHED_SIZE / encoder.patchSize)) * encoder.patchSize;
  return {
    encoder,
    run: RunFolder.isRun(model) ? RunFolder.open(model) : undefined,
    size: trainedSize(path) ?? encoder.imageSize ?? near,
    untrained: random || model === BASELINE,
  };
}

/** Also of a checkpoint folder, by the run that it is in. */
function trainedSize(path: string): number | undefined {
  const folder = dirname(resolve(path));
  return trainedImageSize(path) ?? (basename(folder) === 'checkpoints' ? trainedImageSize(dirname(folder)) : undefined);
}
