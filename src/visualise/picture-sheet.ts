import sharp from 'sharp';
import type { Raster } from '../data/resample.js';
import { invariant } from '../support/errors.js';
import { fontFamily, svgToRaster } from './rasterise-svg.js';
import { escapeXml } from './svg-text.js';

/** One line of a sheet: square pictures of one size, left to right, and what they show. */
export interface SheetRow {
  readonly label: string;
  readonly cells: readonly Raster[];
}

/** A patch of colour and what it stands for. */
export interface SheetKey {
  readonly colour: string;
  readonly label: string;
}

/** What a sheet shows. All rows have as many cells, of one size. */
export interface SheetOptions {
  readonly rows: readonly SheetRow[];
  /** What stands below each column, cut to its width. */
  readonly captions: readonly string[];
  readonly keys?: readonly SheetKey[];
}

const margin = 20;
const gap = 8;
const labelHeight = 42;
const captionHeight = 36;
const keyHeight = 36;
/** Pictures beside each other; more go below. */
const columnLimit = 8;

/**
 * Rows of pictures with a label above each row and a caption below each column, on white, as a PNG file. After eight
 * columns the rows begin anew below. Equal input gives equal bytes.
 */
export async function drawSheet(options: SheetOptions): Promise<Buffer> {
  const { rows, captions, keys = [] } = options;
  const side = rows[0]?.cells[0]?.width ?? 0;
  invariant(
    rows.every(({ cells }) => cells.length === captions.length),
    'a sheet has rows of different lengths',
  );
  const columns = Math.min(columnLimit, captions.length);
  const blocks = Math.ceil(captions.length / columns);
  const rowHeight = labelHeight + side;
  const blockHeight = rows.length * rowHeight + captionHeight;
  const top = margin - 8 + (keys.length > 0 ? keyHeight : 0);
  const size = {
    width: Math.max(2 * margin + columns * side + (columns - 1) * gap, keysWidth(keys)),
    height: top + blocks * blockHeight + margin - 8,
  };
  const texts: string[] = [keysSvg(keys)];
  const places: { cell: Raster; left: number; top: number }[] = [];
  for (let block = 0; block < blocks; block++) {
    const y = top + block * blockHeight;
    rows.forEach(({ label, cells }, row) => {
      texts.push(textSvg(label, margin, y + row * rowHeight + 29, 'label'));
      cells.slice(block * columns, (block + 1) * columns).forEach((cell, column) => {
        invariant(cell.width === side && cell.height === side, 'the pictures of a sheet differ in size');
        places.push({ cell, left: margin + column * (side + gap), top: y + row * rowHeight + labelHeight });
      });
    });
    captions.slice(block * columns, (block + 1) * columns).forEach((caption, column) => {
      const x = margin + column * (side + gap);
      texts.push(textSvg(fitted(caption, side), x, y + blockHeight - 16, 'caption'));
    });
  }
  const sheet = svgToRaster(sheetSvg(size, texts));
  for (const { cell, left, top: y } of places) paste(sheet, cell, left, y);
  return encodePng(sheet);
}

/** A picture as a PNG file. */
async function encodePng({ data, width, height }: Raster): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer();
}

function paste(onto: Raster, cell: Raster, left: number, top: number): void {
  for (let y = 0; y < cell.height; y++) {
    const row = cell.data.subarray(y * cell.width * 3, (y + 1) * cell.width * 3);
    onto.data.set(row, ((top + y) * onto.width + left) * 3);
  }
}

function sheetSvg({ width, height }: { width: number; height: number }, texts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${fontFamily}">`,
    '<style>.label{font-size:18px;font-weight:600;fill:#1c2330}.caption{font-size:15px;fill:#5b6473}</style>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...texts,
    '</svg>',
  ].join('');
}

function textSvg(text: string, x: number, y: number, kind: 'label' | 'caption'): string {
  return `<text class="${kind}" x="${x}" y="${y}">${escapeXml(text)}</text>`;
}

function keysSvg(keys: readonly SheetKey[]): string {
  let x = margin;
  return keys
    .map(({ colour, label }) => {
      const box = `<rect x="${x}" y="${margin - 5}" width="14" height="14" rx="2" fill="${escapeXml(colour)}" stroke="#8a93a3" stroke-width="0.75"/>`;
      const text = textSvg(label, x + 21, margin + 6, 'caption');
      x += keyWidth(label);
      return box + text;
    })
    .join('');
}

function keysWidth(keys: readonly SheetKey[]): number {
  return keys.reduce((width, { label }) => width + keyWidth(label), 2 * margin);
}

/** Generous: letters of this size are about eight units wide. */
function keyWidth(label: string): number {
  return 48 + label.length * 7.9;
}

function fitted(text: string, width: number): string {
  const letters = [...text];
  const limit = Math.floor(width / 8.2);
  return letters.length <= limit ? text : `${letters.slice(0, Math.max(1, limit - 1)).join('')}…`;
}
