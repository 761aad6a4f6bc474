// N images · Y X patches along the axes · D width
import type { Raster } from '../data/resample.js';
import type { ImageEncoder } from '../models/encoder.js';
import * as ops from '../tensor/ops.generated.js';
import { scope } from '../tensor/tensor.js';
import { coolwarm } from './colour-maps.js';
import { type EmbedPicturesOptions, patchFeatures } from './embed-pictures.js';
import { type PatchColours, patchColours } from './patch-colours.js';
import { drawSheet, type SheetRow } from './picture-sheet.js';
import { fitComponents, type PrincipalComponents } from './principal-components.js';
import { enlargeEvenly, enlargeSmoothly, shownSide } from './resize-pictures.js';
import type { SampleImage } from './sample-images.js';

/** An encoder to look at, and what to call it beside others. */
export interface ShownEncoder {
  readonly name?: string;
  readonly encoder: ImageEncoder;
  /** The components that all images share; those of the images shown unless given. */
  readonly shared?: PrincipalComponents | undefined;
}

/** What of the components is shown, and how. */
export interface PcaSheetOptions extends EmbedPicturesOptions {
  /** Components of each image alone, those that all images share, or both (default). */
  readonly components?: 'alone' | 'shared' | 'both' | undefined;
  /** Components that are also shown one by one, as heat maps (0). */
  readonly channels?: number | undefined;
  /** Give all components unit variance, as published (true), or keep their proportions. */
  readonly whiten?: boolean | undefined;
  readonly heading?: string | undefined;
}

/**
 * Images above their patch features as colours: for each encoder a row with components of each image alone, and one
 * with components of all images, in which equal colours mean similar features.
 *
 * @param images of one size, a multiple of every encoder's patch size
 * @returns a PNG file
 * @throws as `patchFeatures`.
 */
export async function drawPcaSheet(
  images: readonly SampleImage[],
  encoders: readonly ShownEncoder[],
  options: PcaSheetOptions = {},
): Promise<Buffer> {
  const { channels = 0, heading } = options;
  const pictures = images.map(({ picture }) => picture);
  const patches = Math.max(1, ...encoders.map(({ encoder }) => (pictures[0]?.width ?? 1) / encoder.patchSize));
  const side = shownSide(patches, pictures.length);
  const small = encoders.flatMap((shown) => encoderRows(pictures, shown, options));
  const rows: SheetRow[] = [
    { label: 'Images', cells: pictures.map((picture) => enlargeSmoothly(picture, side)) },
    ...small.map(({ label, cells }) => ({ label, cells: cells.map((cell) => enlargeEvenly(cell, side)) })),
  ];
  return drawSheet({
    ...(heading !== undefined && { heading }),
    note: 'The strongest principal components of the patch features as red, green and blue: similar colours stand for similar features, within an image or, where they are shared, in all of them.',
    keys: channels > 0 ? [{ map: coolwarm, low: 'score of a component: low', high: 'high' }] : [],
    blocks: [{ rows, captions: images.map(({ caption }) => caption) }],
  });
}

/** Rows of one encoder, one pixel a patch. */
function encoderRows(pictures: readonly Raster[], shown: ShownEncoder, options: PcaSheetOptions): SheetRow[] {
  const { components = 'both', channels = 0, whiten = true } = options;
  const count = { count: Math.max(3, channels), whiten };
  const labelOf = (text: string) =>
    shown.name === undefined ? text.charAt(0).toUpperCase() + text.slice(1) : `${shown.name}: ${text}`;
  return scope(() => {
    const features_NYXD = patchFeatures(pictures, shown.encoder, options);
    const rows: SheetRow[] = [];
    const add = (whose: string, colours: PatchColours, shares: readonly string[]) => {
      rows.push({ label: labelOf(`colours ${whose}`), cells: colours.colours });
      colours.channels.slice(0, channels).forEach((cells, channel) => {
        const share = shares[channel] === undefined ? '' : `, ${shares[channel]} % of the variance`;
        rows.push({ label: labelOf(`component ${channel + 1} ${whose}${share}`), cells });
      });
    };
    if (components !== 'shared') add('of each image alone', patchColours(features_NYXD, count), []);
    // Of one image, shared components would be its own.
    if (components !== 'alone' && (components === 'shared' || shown.shared || pictures.length > 1)) {
      const shared = shown.shared ?? fitComponents(ops.flatten(features_NYXD, 0, 2), count);
      const shares = shared.variances.map((variance) => ((100 * variance) / shared.totalVariance).toFixed(1));
      add('shared by all images', patchColours(features_NYXD, shared), shares);
    }
    return rows;
  });
}
