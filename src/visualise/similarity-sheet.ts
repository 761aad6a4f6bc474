// N images · Y X rows and columns of patches · D width
import type { Raster } from '../data/resample.js';
import type { ImageEncoder } from '../models/encoder.js';
import { numberText } from '../support/number-text.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { unitFeatures } from './cluster-scores.js';
import { mapColours, viridis } from './colour-maps.js';
import { distinctColour } from './distinct-colours.js';
import { type EmbedPicturesOptions, patchFeatures } from './embed-pictures.js';
import { cssColour, framed } from './mark-pictures.js';
import { drawSheet, type SheetRow } from './picture-sheet.js';
import { enlargeEvenly, enlargeSmoothly, shownSide } from './resize-pictures.js';
import type { SampleImage } from './sample-images.js';

/** A place in an image, from its left and upper edge, in shares of its side: 0 to below 1. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Which patches are compared with all others. */
export interface SimilaritySheetOptions extends EmbedPicturesOptions {
  /** At least one. */
  readonly points: readonly Point[];
  /** Compare the patches of all images with those of the first one at the points, instead of each with its own. */
  readonly across: boolean;
  readonly heading: string;
}

/** Similarities of patches to the one at a point, by image. */
export interface Similarities {
  /** Row by row. */
  readonly values: Float32Array;
  /** Patches of an image along each axis. */
  readonly side: number;
}

/**
 * Cosines between the patches at a point and all patches of their images, or of the first image's with those of all.
 *
 * @param features_NYXD square images
 */
export function similaritiesTo(features_NYXD: Tensor, point: Point, across: boolean): Similarities {
  return scope(() => {
    const side = features_NYXD.size(1);
    const unit_NPD = unitFeatures(ops.flatten(features_NYXD, 1, 2));
    const queries_ND = ops.select(unit_NPD, 1, patchAt(point, side));
    const compared = across ? ops.narrow(queries_ND, 0, 0, 1) : queries_ND;
    const cosines_NP = ops.sumDim(ops.mul(unit_NPD, ops.unsqueeze(compared, 1)), [2], false);
    return { values: ops.toDevice(cosines_NP, 'cpu', 'float32').data() as Float32Array, side };
  });
}

/**
 * Images with the patches at some points framed, and below them, for each point, how similar all patches are to it.
 *
 * @returns a PNG file @throws as `patchFeatures`.
 */
export async function drawSimilaritySheet(
  images: readonly SampleImage[],
  encoder: ImageEncoder,
  options: SimilaritySheetOptions,
): Promise<Buffer> {
  const { points, across, heading } = options;
  const pictures = images.map(({ picture }) => picture);
  const found = scope(() => {
    const features_NYXD = patchFeatures(pictures, encoder, options);
    return points.map((point) => similaritiesTo(features_NYXD, point, across));
  });
  const patches = found[0]!.side;
  const side = shownSide(patches, images.length);
  const least = Math.min(...found.map(({ values }) => values.reduce((low, value) => Math.min(low, value))));
  const mark = (picture: Raster, image: number, place: number) =>
    across && image > 0
      ? picture
      : framed(picture, partOf(patchAt(points[place]!, patches), patches, side), distinctColour(place));
  const marked = pictures.map((picture, image) =>
    points.reduce((so, _, place) => mark(so, image, place), enlargeSmoothly(picture, side)),
  );
  const rows = found.map(({ values }, place): SheetRow => {
    const cells = images.map((_, image) => {
      const own = values.subarray(image * patches ** 2, (image + 1) * patches ** 2);
      const map = { data: mapColours(own, viridis, [least, 1]), width: patches, height: patches };
      return mark(enlargeEvenly(map, side), image, place);
    });
    return { label: `Similarity to point ${place + 1}${across ? ' of the first image' : ''}`, cells };
  });
  return drawSheet({
    heading,
    note: `Cosine between the features of the framed patch and those of every patch${across ? ' of all images' : ' of the same image'}. An encoder that knows things by what they are lights up the whole thing, and things of its kind, and nothing else.`,
    keys: [
      ...points.map(({ x, y }, place) => ({
        colour: cssColour(distinctColour(place)),
        label: `point ${place + 1}: ${numberText(100 * x)} % from the left, ${numberText(100 * y)} % from above`,
      })),
      { map: viridis, low: `cosine ${least.toFixed(2)}`, high: '1.00: the same' },
    ],
    blocks: [{ rows: [{ label: 'Images', cells: marked }, ...rows], captions: images.map(({ caption }) => caption) }],
  });
}

function patchAt({ x, y }: Point, side: number): number {
  return Math.floor(y * side) * side + Math.floor(x * side);
}

function partOf(patch: number, patches: number, side: number) {
  const pixels = side / patches;
  const [row, column] = [Math.floor(patch / patches), patch % patches];
  return { left: column * pixels, top: row * pixels, width: pixels, height: pixels };
}
