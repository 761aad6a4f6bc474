// N images · Y X rows and columns of patches · S patches of one image · D width · C components
import type { Raster } from '../data/resample.js';
import { ShapeError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { coolwarm, mapColours } from './colour-maps.js';
import {
  type ComponentOptions,
  fitComponents,
  type PrincipalComponents,
  principalScores,
} from './principal-components.js';

/** Images of one pixel a patch, for each image that was looked at. */
export interface PatchColours {
  /** The first three components as red, green and blue. */
  readonly colours: readonly Raster[];
  /** By component: its scores from blue (low) over white to red (high). */
  readonly channels: readonly (readonly Raster[])[];
}

/** Scores within this many standard deviations of the first component get a colour of their own. */
const scoreRange = 2.3;

/**
 * Patch features (N, Y, X, D) as colours, of three components or more. Components are those of each image alone, or the
 * ones given: of all images, or of a whole data set, so that equal colours mean similar features.
 * Source: CAPI eval_visualizations.py.
 *
 * @throws {ShapeError} the features are not of that shape, or narrower than three.
 */
export function patchColours(features_NYXD: Tensor, components: PrincipalComponents | ComponentOptions): PatchColours {
  const [images = 0, rows = 0, columns = 0, width = 0] = features_NYXD.shape;
  if (features_NYXD.shape.length !== 4 || width < 3) {
    throw new ShapeError(
      `Expected patch features (N, Y, X, D) with D of at least 3, received [${features_NYXD.shape}].`,
    );
  }
  const each = Array.from({ length: images }, (_, image) =>
    scope(() => {
      const features_SD = ops.flatten(ops.select(features_NYXD, 0, image), 0, 1);
      const fitted = 'matrix_DC' in components ? components : fitComponents(features_SD, components);
      return draw(principalScores(features_SD, fitted), rows, columns);
    }),
  );
  const channels = each[0]?.channels ?? [];
  return {
    colours: each.map(({ colours }) => colours),
    channels: channels.map((_, channel) => each.map((image) => image.channels[channel]!)),
  };
}

function draw(scores_SC: Tensor, height: number, width: number): { colours: Raster; channels: Raster[] } {
  const scores = scores_SC.data() as Float64Array;
  const count = scores_SC.size(1);
  const column = (c: number) => Float64Array.from({ length: height * width }, (_, patch) => scores[patch * count + c]!);
  const raster = (data: Uint8Array): Raster => ({ data, width, height });
  const columns = Array.from({ length: count }, (_, c) => column(c));
  return {
    colours: raster(redGreenBlue(columns)),
    channels: columns.map((values) => raster(mapColours(values, coolwarm, [-scoreRange, scoreRange]))),
  };
}

/** Scores to bytes, truncated as numpy's conversion does. */
function redGreenBlue(columns: readonly Float64Array[]): Uint8Array {
  return Uint8Array.from({ length: columns[0]!.length * 3 }, (_, i) => {
    const share = (columns[i % 3]![Math.floor(i / 3)]! + scoreRange) / (2 * scoreRange);
    return Math.trunc(Math.min(1, Math.max(0, share)) * 255);
  });
}
