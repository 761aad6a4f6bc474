import { readRecipe } from '../../config/recipe.js';
import { resolveConfig } from '../../config/resolve-config.js';
import type { Raster } from '../../data/resample.js';
import { openDataset } from '../../data/spec.js';
import { Mae } from '../../methods/mae/mae.js';
import { maeMasks, maeRecipe } from '../../methods/mae/mae-config.js';
import { reconstruct } from '../../methods/mae/reconstruct.js';
import { loadWeights } from '../../models/load-weights.js';
import { RunFolder } from '../../runs/run-folder.js';
import { UsageError } from '../../support/errors.js';
import { maskPicture } from '../../visualise/mask-sheet.js';
import { drawSheet } from '../../visualise/picture-sheet.js';
import { enlargeSmoothly, shownSide } from '../../visualise/resize-pictures.js';
import { type SampleImage, sampleImages } from '../../visualise/sample-images.js';
import type { CommandResult } from '../output.js';
import { writePicture } from './write-picture.js';

/** The checked options of `tessera visualise reconstruction`. */
export type VisualiseReconstructionOptions = {
  readonly run: string;
  readonly data: string;
  /** `images/reconstruction.png` of the run unless given. */
  readonly out: string | undefined;
  readonly count: number | undefined;
  readonly seed: number | undefined;
};

const caption =
  'Training crops, what the encoder sees of them, and what the decoder makes of the rest. Brightness and contrast of a masked patch are those of the original: the training asks for its pattern only.';

/** `tessera visualise reconstruction`: JSON with `out`, `images` and `report`. */
export async function visualiseReconstruction(options: VisualiseReconstructionOptions): Promise<CommandResult> {
  const run = RunFolder.open(options.run);
  const recipe = readRecipe(run.config);
  const { method } = recipe.values as { method?: unknown };
  if (method !== 'mae') {
    throw new UsageError(`Expected a run of the method mae, ${options.run} is one of ${String(method)}.`, {
      hint: 'Only MAE predicts pixels; visualise pca shows the features of any encoder.',
    });
  }
  const { config: stored } = resolveConfig(maeRecipe, recipe, []);
  const config = { ...stored, seed: options.seed ?? stored.seed };
  const dataset = await openDataset(options.data);
  const mae = new Mae(config);
  try {
    using weights = await loadWeights(run.path, ['student']);
    mae.warmStart(weights.parts);
    const images = await sampleImages(dataset, mae.views[0]!, { count: options.count ?? 8, seed: config.seed });
    const filled = reconstructed(mae, images);
    const { mask } = maeMasks(config);
    const masks = { ...mae.drawMasks(images.length, 0), predictPerImage: 0 };
    const side = shownSide(mask.columns, images.length);
    const pictures = images.map(({ picture }) => enlargeSmoothly(picture, side));
    const content = await drawSheet({
      heading: `Reconstructions of ${run.name}`,
      note: caption,
      blocks: [
        {
          captions: images.map((image) => image.caption),
          rows: [
            { label: 'Training crops', cells: pictures },
            { label: 'What the encoder sees', cells: pictures.map((each, i) => maskPicture(each, masks, i, mask)) },
            { label: 'Reconstruction', cells: filled.map((each) => enlargeSmoothly(each, side)) },
          ],
        },
      ],
    });
    return writePicture(
      {
        ...{ name: 'reconstruction', content, text: { title: 'What the decoder fills in', caption } },
        facts: [['images', String(images.length)]],
        json: { images: images.length },
      },
      { run, out: options.out },
    );
  } finally {
    mae.dispose();
  }
}

/** The pictures with their masked patches filled in. */
function reconstructed(mae: Mae, images: readonly SampleImage[]): Raster[] {
  const [{ picture }] = images as [SampleImage];
  const { width, height } = picture;
  const bytes = width * height * 3;
  const pixels = new Uint8Array(images.length * bytes);
  for (const [i, image] of images.entries()) pixels.set(image.picture.data, i * bytes);
  const batch = mae.makeBatch({ images: pixels, size: images.length }, 0);
  try {
    using filled_BYX3 = reconstruct(mae.student, batch);
    const data = Uint8Array.from(filled_BYX3.numbers());
    return images.map((_, i) => ({ data: data.slice(i * bytes, (i + 1) * bytes), width, height }));
  } finally {
    mae.disposeBatch(batch);
  }
}
