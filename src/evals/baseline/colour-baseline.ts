// B images · Y X rows and columns of patches · G cells of a grid along an axis · D width

import { checkSize } from '../../features/extract.js';
import type { Embedding, ImageEncoder } from '../../models/encoder.js';
import { patchCoordinates } from '../../models/patches.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/** Cells along an axis whose mean colours describe an image. */
const GRID = 4;
/**
 * A constant among the features, large beside the others: angles then grow with Euclidean distances, so that cosine, which
 * would otherwise see hue without brightness, treats the baseline fairly.
 */
const CONSTANT = 16;

/**
 * Features that anyone can have without learning, as a floor for learnt ones: of a patch the mean normalised colour and
 * its place (row and column, -1 to 1); of an image the mean colours of a 4 x 4 grid. Widths are 6 and 49.
 */
export function colourBaseline(patchSize: number): ImageEncoder {
  return {
    patchSize,
    width: 6,
    depth: 0,
    fingerprint: () => `colour baseline of ${patchSize} pixels, ${GRID} cells, constant ${CONSTANT}`,
    embed: (images_B3YX) => embedColours(images_B3YX, patchSize),
    dispose: () => {},
  };
}

function embedColours(images_B3YX: Tensor, patchSize: number): Embedding {
  const [batch, , height, width] = images_B3YX.shape as [number, number, number, number];
  checkSize(height, patchSize);
  checkSize(width, patchSize);
  const [rows, columns] = [height / patchSize, width / patchSize];
  return scope(() => {
    const colours_BYX3 = meanColours(images_B3YX, rows, columns);
    const places = ops.sub(ops.mul(patchCoordinates(rows, columns, images_B3YX), 2), 1);
    const places_BYX2 = ops.expand(ops.reshape(places, [1, rows, columns, 2]), [batch, rows, columns, 2]);
    const grid_BG = ops.flatten(meanColours(images_B3YX, GRID, GRID), 1);
    return {
      global_BD: ops.cat([grid_BG, constant(images_B3YX, [batch, 1])], 1),
      registers_BRD: constant(images_B3YX, [batch, 0, 6]),
      patches_BYXD: ops.cat([colours_BYX3, places_BYX2, constant(images_B3YX, [batch, rows, columns, 1])], 3),
    };
  });
}

/** Mean colours of `rows` x `columns` cells as (B, rows, columns, 3); cells share pixels where sides do not divide. */
function meanColours(images_B3YX: Tensor, rows: number, columns: number): Tensor {
  return ops.permute(ops.adaptiveAveragePool2d(images_B3YX, [rows, columns]), [0, 2, 3, 1]);
}

function constant(like: Tensor, shape: readonly number[]): Tensor {
  return ops.full(shape, CONSTANT, like.dtype, like.device);
}
