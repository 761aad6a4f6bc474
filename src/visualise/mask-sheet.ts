import type { Raster } from '../data/resample.js';
import { drawMaskedBatch, type MaskedBatch, type Masking } from '../masks/masked-batch.js';
import { Random } from '../support/random.js';
import { type Colour, cssColour } from './mark-pictures.js';
import { drawSheet, type SheetRow } from './picture-sheet.js';
import { enlargeSmoothly, shownSide } from './resize-pictures.js';
import type { SampleImage } from './sample-images.js';

/** How a method masks, and how many masks to draw for every image. */
export interface MaskSheetOptions extends Masking {
  readonly draws: number;
  readonly seed: number;
}

/** Patches that the student does not see, and those among them that it has to predict. */
export const maskColours = { hidden: [214, 218, 226], predicted: [240, 112, 32] } as const satisfies Record<
  string,
  Colour
>;

/**
 * What the student sees in training: images, and below each one the patches left visible, the hidden ones in grey and
 * those to predict in orange, for several draws of the mask. Needs no engine.
 *
 * @param images square, of one size
 * @returns a PNG file
 * @throws ConfigError when the masks cannot be drawn.
 */
export async function drawMaskSheet(images: readonly SampleImage[], options: MaskSheetOptions): Promise<Buffer> {
  const pictures = images.map(({ picture }) =>
    enlargeSmoothly(picture, shownSide(options.mask.columns, images.length)),
  );
  const rows: SheetRow[] = [{ label: 'Training crops', cells: pictures }];
  for (let draw = 0; draw < options.draws; draw++) {
    const masks = drawMaskedBatch({
      ...options,
      batch: images.length,
      random: (image) => Random.from(options.seed, draw, image),
    });
    const cells = pictures.map((picture, image) => maskPicture(picture, masks, image, options.mask));
    rows.push({ label: `What the student sees, draw ${draw + 1}`, cells });
  }
  const { visiblePerImage, predictPerImage } = drawMaskedBatch({ ...options, batch: 1, random: () => Random.from(0) });
  const patches = options.mask.rows * options.mask.columns;
  const hidden = patches - visiblePerImage - predictPerImage;
  return drawSheet({
    blocks: [{ rows, captions: images.map(({ caption }) => caption) }],
    keys: [
      { colour: cssColour(maskColours.hidden), label: `hidden: ${hidden} of ${patches} patches` },
      { colour: cssColour(maskColours.predicted), label: `hidden, to predict: ${predictPerImage}` },
      { colour: '#fff', label: `visible: ${visiblePerImage}` },
    ],
  });
}

/**
 * One image as the student sees it.
 *
 * @param picture at least one pixel a patch
 * @param image its place in the batch
 */
export function maskPicture(
  picture: Raster,
  batch: MaskedBatch,
  image: number,
  { rows, columns }: { rows: number; columns: number },
): Raster {
  const first = image * rows * columns;
  const predicted = new Set(batch.predict.subarray(image * batch.predictPerImage, (image + 1) * batch.predictPerImage));
  const { width, height } = picture;
  const data = picture.data.slice();
  for (let y = 0; y < height; y++) {
    const row = first + Math.floor((y * rows) / height) * columns;
    for (let x = 0; x < width; x++) {
      const patch = row + Math.floor((x * columns) / width);
      if (batch.masks[patch] === 0) continue;
      data.set(predicted.has(patch) ? maskColours.predicted : maskColours.hidden, (y * width + x) * 3);
    }
  }
  return { data, width, height };
}
