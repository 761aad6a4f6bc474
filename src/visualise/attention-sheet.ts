// B batch · A heads · R registers · Y X rows and columns of patches
import type { Raster } from '../data/resample.js';
import { checkSize } from '../features/extract.js';
import type { BlockAttention, ImageEncoder } from '../models/encoder.js';
import { normalisePixels } from '../models/patches.js';
import { UsageError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';
import { mapColours, viridis } from './colour-maps.js';
import { drawSheet, type SheetBlock } from './picture-sheet.js';
import { enlargeEvenly, enlargeSmoothly, shownSide } from './resize-pictures.js';
import type { SampleImage } from './sample-images.js';

/** Which attention is shown. */
export interface AttentionSheetOptions {
  /** The block, counted from 0. */
  readonly block: number;
  /** Where the encoder is (`cpu`). */
  readonly device?: string | undefined;
  readonly heading: string;
}

/** How one token, or several on average, attends to the patches of an image. */
export interface AttentionMap {
  readonly name: string;
  /** Shares of the attention that go to each patch, row by row. */
  readonly shares: Float32Array;
}

/**
 * The attention of one image's class token and registers: each over all heads, and each head's of the class token or else
 * of all registers on average.
 *
 * @throws {UsageError} the encoder has no such tokens, or no such block.
 */
export function attentionMaps(
  picture: Raster,
  encoder: ImageEncoder,
  { block, device = 'cpu' }: Pick<AttentionSheetOptions, 'block' | 'device'>,
): AttentionMap[] {
  checkSize(picture.width, encoder.patchSize);
  return scope(() =>
    noGrad(() => {
      const images_13YX = normalisePixels(picture.data, [1, picture.height, picture.width], device);
      const found = encoder.embed(images_13YX, { attention: [block] }).attention?.get(block);
      if (found === undefined || (found.class_BAYX === undefined && found.registers_BARYX.size(2) === 0)) {
        throw new UsageError('Expected an encoder with a class token or registers, whose attention can be shown.', {
          hint: 'tessera visualise similarity shows which patches belong together in any encoder.',
        });
      }
      return mapsOf(found);
    }),
  );
}

function mapsOf({ class_BAYX, registers_BARYX }: BlockAttention): AttentionMap[] {
  const shares = (map: Tensor) => ops.toDevice(map, 'cpu', 'float32').data() as Float32Array;
  const overHeads = (name: string, map_BAYX: Tensor): AttentionMap => ({
    name,
    shares: shares(ops.meanDim(map_BAYX, [1])),
  });
  const registers = Array.from({ length: registers_BARYX.size(2) }, (_, r) =>
    overHeads(`register ${r + 1}`, ops.select(registers_BARYX, 2, r)),
  );
  const byHead_BAYX = class_BAYX ?? ops.meanDim(registers_BARYX, [2]);
  const heads = Array.from({ length: byHead_BAYX.size(1) }, (_, head) => ({
    name: `head ${head + 1}`,
    shares: shares(ops.select(byHead_BAYX, 1, head)),
  }));
  const all = overHeads(class_BAYX ? 'class token' : 'all registers', byHead_BAYX);
  return [all, ...heads, ...registers];
}

/** Of patches that are shown as bright as the brightest: a single one that gets almost everything would darken the rest. */
const BRIGHT = 0.02;

function brightShare(shares: Float32Array): number {
  const ascending = shares.slice().sort();
  return ascending[Math.floor((1 - BRIGHT) * (shares.length - 1))]!;
}

/** Pictures beside each other. */
const COLUMNS = 8;

/**
 * For each image where class token, registers and heads look.
 *
 * @returns a PNG file @throws as `attentionMaps`.
 */
export async function drawAttentionSheet(
  images: readonly SampleImage[],
  encoder: ImageEncoder,
  options: AttentionSheetOptions,
): Promise<Buffer> {
  const patches = images[0]!.picture.width / encoder.patchSize;
  const side = shownSide(patches, COLUMNS);
  let whose = '';
  const blocks = images.map(({ picture, caption }): SheetBlock => {
    const maps = attentionMaps(picture, encoder, options);
    whose = maps[0]!.name;
    const cells = maps.map(({ shares }) => {
      const data = mapColours(shares, viridis, [0, brightShare(shares)]);
      return enlargeEvenly({ data, width: patches, height: patches }, side);
    });
    return {
      rows: [{ cells: [enlargeSmoothly(picture, side), ...cells] }],
      captions: [caption, ...maps.map(({ name }) => name)],
    };
  });
  return drawSheet({
    heading: options.heading,
    note: `Where the tokens beside the patches look in block ${options.block}: ${whose} over all heads, then head by head, then each register over all heads. Tokens that specialise look at different things; bright patches on empty ground are ones that the encoder keeps notes in.`,
    keys: [{ map: viridis, low: 'share of the attention: none', high: 'the most: 2 % of the patches' }],
    blocks,
  });
}
