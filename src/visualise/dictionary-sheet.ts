// N images · Y X rows and columns of patches · S patches · D width · K atoms
import type { Raster } from '../data/resample.js';
import type { ImageEncoder } from '../models/encoder.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { hexColours } from './colour-maps.js';
import { learnDictionary } from './dictionary-learning.js';
import { type EmbedPicturesOptions, patchFeatures } from './embed-pictures.js';
import { drawSheet, type SheetRow } from './picture-sheet.js';
import { enlargeEvenly, enlargeSmoothly, shownSide } from './resize-pictures.js';
import type { SampleImage } from './sample-images.js';

/** What is learned, and how it is told. */
export interface DictionarySheetOptions extends EmbedPicturesOptions {
  /** How much codes cost. Published: 1. */
  readonly alpha: number;
  readonly heading: string;
  /** Dictionaries learned. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The colour of each atom, from 0 to 1: of three, of six (with cyan, magenta and yellow), of ten (matplotlib's `tab10`). */
const tables = [
  'ff0000 00ff00 0000ff',
  'ff0000 00ff00 0000ff 00ffff ff00ff ffff00',
  '1f77b4 ff7f0e 2ca02c d62728 9467bd 8c564b e377c2 7f7f7f bcbd22 17becf',
].map(hexColours);

/**
 * Images above how dictionaries of three, six and ten atoms explain their patches: each atom has a colour, and a patch the
 * mixture of those that its code is made of. First with dictionaries of each image alone, then with ones that all share.
 * Source: CAPI eval_visualizations.py.
 *
 * @returns a PNG file @throws as `patchFeatures`.
 */
export async function drawDictionarySheet(
  images: readonly SampleImage[],
  encoder: ImageEncoder,
  options: DictionarySheetOptions,
): Promise<Buffer> {
  const pictures = images.map(({ picture }) => picture);
  const { alpha, onProgress } = options;
  using features_NYXD = patchFeatures(pictures, encoder, options);
  const patches = features_NYXD.size(1);
  const side = shownSide(patches, images.length);
  const groups = [
    { label: 'of each image alone', sets: images.map((_, image) => [image, 1] as const) },
    ...(images.length > 1 ? [{ label: 'shared by all images', sets: [[0, images.length] as const] }] : []),
  ];
  const total = tables.length * groups.reduce((sum, { sets }) => sum + sets.length, 0);
  let done = 0;
  const rows: SheetRow[] = [{ label: 'Images', cells: pictures.map((picture) => enlargeSmoothly(picture, side)) }];
  for (const { label, sets } of groups) {
    for (const table of tables) {
      const cells: Raster[] = [];
      for (const [first, count] of sets) {
        cells.push(...scope(() => codeColours(ops.narrow(features_NYXD, 0, first, count), table, alpha)));
        onProgress?.(++done, total);
        // Dictionaries of large images take seconds, in which signals have to come through.
        await new Promise(setImmediate);
      }
      rows.push({ label: `${table.length} atoms ${label}`, cells: cells.map((cell) => enlargeEvenly(cell, side)) });
    }
  }
  return drawSheet({
    heading: options.heading,
    note: `Sparse codes of the patch features (dictionary learning, alpha ${alpha}): each atom of a dictionary has a colour, and a patch the mixture of the atoms that it is made of. Plain areas of one colour are parts that the encoder sees as one thing. With a shared dictionary equal colours mean the same in all images.`,
    blocks: [{ rows, captions: images.map(({ caption }) => caption) }],
  });
}

/**
 * Share of the cost that a round has to save. Published: 1e-8, which takes minutes and changes colours by one level of 255 on
 * average, by 15 in one of a hundred pixels.
 */
const TOLERANCE = 1e-5;

/** Features of images (N, Y, X, D) as colours, from one dictionary; one pixel a patch. */
export function codeColours(features_NYXD: Tensor, table: readonly (readonly number[])[], alpha: number): Raster[] {
  const [images, height, width] = features_NYXD.shape as [number, number, number];
  const features_SD = ops.flatten(features_NYXD, 0, 2);
  const { codes } = learnDictionary(features_SD, { atoms: table.length, alpha, tolerance: TOLERANCE });
  const atoms = codes.length / (images * height * width);
  const most = codes.reduce((high, code) => Math.max(high, Math.abs(code)), 0) || 1;
  const data = Uint8Array.from({ length: (codes.length / atoms) * 3 }, (_, at) => {
    const row = Math.floor(at / 3) * atoms;
    let share = 0;
    for (let k = 0; k < atoms; k++) share += (Math.abs(codes[row + k]!) / most) * table[k]![at % 3]!;
    // Truncated, as numpy's conversion does.
    return Math.trunc(Math.min(1, share) * 255);
  });
  const bytes = height * width * 3;
  return Array.from({ length: images }, (_, image) => ({
    data: data.subarray(image * bytes, (image + 1) * bytes),
    width,
    height,
  }));
}
