import sharp from 'sharp';
import type { Raster } from '../data/resample.js';
import { invariant } from '../support/errors.js';
import { fontFamily, svgToRaster } from './rasterise-svg.js';
import { keysSvg, type SheetKey, swatchSvg, swatchWidth, widestKey } from './sheet-keys.js';
import { coordinate, escapeXml, fitted, textWidth, wrapped } from './svg-text.js';

/** One line of pictures, left to right, and what they show; without a label they belong to the row above. */
export interface SheetRow {
  readonly label?: string | undefined;
  readonly cells: readonly Raster[];
}

/** A text below a column; with a colour, a small square of it comes first. */
export type SheetCaption = string | { readonly text: string; readonly colour: string };

/** Rows below each other that belong together: as many square cells each, of one size. */
export interface SheetBlock {
  readonly rows: readonly SheetRow[];
  /** What stands below each column, cut to its width. */
  readonly captions: readonly SheetCaption[];
}

/** What a sheet shows, from top to bottom. */
export interface SheetOptions {
  /** What of what, in a line. */
  readonly heading?: string;
  /** How to read it, in sentences. */
  readonly note?: string;
  readonly keys?: readonly SheetKey[];
  readonly blocks: readonly SheetBlock[];
}

const margin = 20;
const gap = 8;
const labelHeight = 42;
const captionHeight = 36;
/** Pictures beside each other; more go below. */
const columnLimit = 8;
const sizes = { heading: 20, label: 18, caption: 15 } as const;
/** Room that sentences get, however few pictures there are. */
const noteWidth = 640;

type TextKind = keyof typeof sizes;

interface Placed {
  readonly cell: Raster;
  readonly left: number;
  readonly top: number;
}

/**
 * Rows of pictures with a label above each row and a caption below each column, on white, as a PNG file. After eight
 * columns the rows of a block begin anew below. Equal input gives equal bytes.
 */
export async function drawSheet(options: SheetOptions): Promise<Buffer> {
  const { heading, note, keys = [], blocks } = options;
  const inner = innerWidth(options);
  const texts: string[] = [];
  const places: Placed[] = [];
  let y = margin;
  const line = (text: string, kind: TextKind) => {
    texts.push(textSvg(text, margin, y + sizes[kind], kind));
    y += sizes[kind] + 8;
  };
  if (heading !== undefined) line(heading, 'heading');
  if (note !== undefined) for (const text of wrapped(note, sizes.caption, inner)) line(text, 'caption');
  if (heading !== undefined || note !== undefined) y += 6;
  const drawnKeys = keysSvg(keys, { left: margin, top: y, width: inner });
  y += drawnKeys.height;
  for (const block of blocks) y = placeBlock(block, y - 8, inner, texts, places);
  const sheet = svgToRaster(sheetSvg(inner + 2 * margin, y + margin - 8, [...drawnKeys.parts, ...texts]));
  for (const placed of places) paste(sheet, placed);
  return encodePng(sheet);
}

function innerWidth({ heading = '', note, keys = [], blocks }: SheetOptions): number {
  const labels = blocks.flatMap(({ rows }) => rows.map(({ label = '' }) => textWidth(label, sizes.label)));
  const grids = blocks.map(({ rows, captions }) => {
    const columns = Math.min(columnLimit, captions.length);
    return columns * (sideOf(rows) + gap) - gap;
  });
  const texts = [textWidth(heading, sizes.heading), ...labels, widestKey(keys), note === undefined ? 0 : noteWidth];
  return Math.ceil(Math.max(...grids, ...texts));
}

/** Places a block from `y` on, and gives where it ends. */
function placeBlock(
  { rows, captions }: SheetBlock,
  top: number,
  width: number,
  texts: string[],
  places: Placed[],
): number {
  const side = sideOf(rows);
  const columns = Math.min(columnLimit, captions.length);
  let y = top;
  for (let first = 0; first < captions.length; first += columns) {
    const x = (column: number) => margin + column * (side + gap);
    for (const { label, cells } of rows) {
      invariant(cells.length === captions.length, 'a sheet has rows of different lengths');
      const above = label === undefined ? gap : labelHeight;
      if (label !== undefined) texts.push(textSvg(fitted(label, sizes.label, width), margin, y + 29, 'label'));
      cells.slice(first, first + columns).forEach((cell, column) => {
        invariant(cell.width === side && cell.height === side, 'the pictures of a row differ in size');
        places.push({ cell, left: x(column), top: y + above });
      });
      y += above + side;
    }
    captions.slice(first, first + columns).forEach((caption, column) => {
      texts.push(captionSvg(caption, x(column), y + 20, side));
    });
    y += captionHeight;
  }
  return y;
}

function captionSvg(caption: SheetCaption, x: number, y: number, width: number): string {
  if (typeof caption === 'string') return textSvg(fitted(caption, sizes.caption, width), x, y, 'caption');
  return (
    swatchSvg(caption.colour, x, y - 12) +
    textSvg(fitted(caption.text, sizes.caption, width - swatchWidth), x + swatchWidth, y, 'caption')
  );
}

function sideOf(rows: readonly SheetRow[]): number {
  return rows[0]?.cells[0]?.width ?? 0;
}

/** A picture as a PNG file. */
async function encodePng({ data, width, height }: Raster): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer();
}

function paste(onto: Raster, { cell, left, top }: Placed): void {
  for (let y = 0; y < cell.height; y++) {
    const row = cell.data.subarray(y * cell.width * 3, (y + 1) * cell.width * 3);
    onto.data.set(row, ((top + y) * onto.width + left) * 3);
  }
}

function sheetSvg(width: number, height: number, parts: readonly string[]): string {
  const { heading, label, caption } = sizes;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${fontFamily}">`,
    `<style>.heading{font-size:${heading}px;font-weight:600;fill:#1c2330}.label{font-size:${label}px;font-weight:600;fill:#1c2330}.caption{font-size:${caption}px;fill:#5b6473}</style>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...parts,
    '</svg>',
  ].join('');
}

function textSvg(text: string, x: number, y: number, kind: TextKind): string {
  return `<text class="${kind}" x="${coordinate(x)}" y="${coordinate(y)}">${escapeXml(text)}</text>`;
}
