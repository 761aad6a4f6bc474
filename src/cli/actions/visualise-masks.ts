import { findRecipe } from '../../config/find-recipe.js';
import { readRecipe } from '../../config/recipe.js';
import { resolveConfig } from '../../config/resolve-config.js';
import { openDataset } from '../../data/spec.js';
import { methodOf } from '../../recipes/methods.js';
import { RunFolder } from '../../runs/run-folder.js';
import { UsageError } from '../../support/errors.js';
import { drawMaskSheet } from '../../visualise/mask-sheet.js';
import { sampleImages } from '../../visualise/sample-images.js';
import type { CommandResult } from '../output.js';
import { writePicture } from './write-picture.js';

/** The checked options of `tessera visualise masks`. */
export type VisualiseMasksOptions = {
  /** A run folder, or else a recipe: a file or the name of one that comes with Tessera. */
  readonly run: string | undefined;
  readonly recipe: string | undefined;
  readonly data: string;
  /** `images/masks.png` of the run unless given. */
  readonly out: string | undefined;
  readonly count: number | undefined;
  readonly draws: number | undefined;
  readonly seed: number | undefined;
};

/** `tessera visualise masks`: JSON with `out`, `images` and `draws`. */
export async function visualiseMasks(options: VisualiseMasksOptions): Promise<CommandResult> {
  const { count = 8, draws = 3 } = options;
  if ((options.run === undefined) === (options.recipe === undefined)) {
    throw new UsageError('expected either a run folder with --run or a recipe with --recipe');
  }
  const run = options.run === undefined ? undefined : RunFolder.open(options.run);
  const recipe = readRecipe(run?.config ?? findRecipe(options.recipe!));
  const entry = methodOf((recipe.values as Record<string, unknown>).method);
  if (entry.command !== 'pretrain') {
    throw new UsageError(`Expected a training that hides a part of the images, ${recipe.file} refines and hides none.`);
  }
  const { config } = resolveConfig(entry.schema, recipe, []);
  entry.check(config);
  const { view, masking } = entry.shown(config);
  const seed = options.seed ?? config.seed;
  const dataset = await openDataset(options.data);
  const images = await sampleImages(dataset, view, { count, seed });
  const png = await drawMaskSheet(images, { ...masking, draws, seed });
  return writePicture(
    {
      name: 'masks',
      content: png,
      text: {
        title: 'What the student is shown',
        caption:
          'The patches in colour are hidden from the student; it predicts those in orange from the visible ones.',
      },
      facts: [['images', `${images.length}, ${draws} masks each`]],
      json: { images: images.length, draws },
    },
    { run, out: options.out },
  );
}
