import type { Raster } from '../data/resample.js';
import { type Colour, cssColour, outlined } from './mark-pictures.js';
import { drawSheet, type SheetBlock } from './picture-sheet.js';
import { enlargeSmoothly, shownSide } from './resize-pictures.js';

/** An image that was found, nearest first. */
export interface ShownNeighbour {
  readonly picture: Raster;
  /** Its class or name. */
  readonly caption: string;
  readonly cosine: number;
  /** Whether it has the class of the query, where both are known. */
  readonly agrees?: boolean | undefined;
}

/** An image, and what is nearest to it. */
export interface NeighbourRow {
  readonly picture: Raster;
  readonly caption: string;
  readonly neighbours: readonly ShownNeighbour[];
}

/** Bluish green and vermilion (Okabe and Ito), told apart by those who see no red or no green. */
const AGREES: Colour = [0, 158, 115];
const DIFFERS: Colour = [213, 94, 0];
const FRAME = 6;

/** Neighbours whose class and that of their query are known, and those of which it is the same. */
export function countAgreeing(rows: readonly NeighbourRow[]): { readonly known: number; readonly right: number } {
  const known = rows.flatMap(({ neighbours }) => neighbours).filter(({ agrees }) => agrees !== undefined);
  return { known: known.length, right: known.filter(({ agrees }) => agrees).length };
}

/**
 * A row for each query with its nearest neighbours, those of its class framed in green, others in red.
 *
 * @returns a PNG file
 */
export async function drawNeighbourSheet(rows: readonly NeighbourRow[], heading: string): Promise<Buffer> {
  const columns = 1 + Math.max(...rows.map(({ neighbours }) => neighbours.length));
  const side = shownSide(1, Math.min(8, columns));
  const { known, right } = countAgreeing(rows);
  const blocks = rows.map(({ picture, caption, neighbours }, row): SheetBlock => {
    const cells = [enlargeSmoothly(picture, side), ...neighbours.map((neighbour) => neighbourCell(neighbour, side))];
    return {
      rows: [{ ...(row === 0 && { label: 'Image, and the images nearest to it' }), cells }],
      captions: [caption, ...neighbours.map((one) => `${markOf(one)}${one.cosine.toFixed(2)} ${one.caption}`)],
    };
  });
  return drawSheet({
    heading,
    note: 'The first image of each row is looked up among the others by the cosine of their features, which stands before the name.',
    keys:
      known === 0
        ? []
        : [
            { colour: cssColour(AGREES), label: `✓ of the same class: ${right} of ${known}` },
            { colour: cssColour(DIFFERS), label: `✗ of another class: ${known - right}` },
          ],
    blocks,
  });
}

function markOf({ agrees }: ShownNeighbour): string {
  if (agrees === undefined) return '';
  return agrees ? '✓ ' : '✗ ';
}

function neighbourCell({ picture, agrees }: ShownNeighbour, side: number): Raster {
  const cell = enlargeSmoothly(picture, side);
  if (agrees === undefined) return cell;
  return outlined(cell, { left: 0, top: 0, width: side, height: side }, agrees ? AGREES : DIFFERS, FRAME);
}
