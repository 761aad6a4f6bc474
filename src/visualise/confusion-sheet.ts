import { blues, mapColours } from './colour-maps.js';
import { fontFamily, svgToPng } from './rasterise-svg.js';
import { keysSvg } from './sheet-keys.js';
import { coordinate, escapeXml, fitted, textWidth, wrapped } from './svg-text.js';

/** How often images of a class (rows) were taken for another (columns), row by row: (C, C) counts. */
export interface Confusion {
  /** Names by id. */
  readonly classes: readonly string[];
  readonly counts: readonly (readonly number[])[];
}

/** Two classes of which one is taken for the other. */
interface Mistake {
  readonly actual: number;
  readonly predicted: number;
  readonly count: number;
}

const margin = 20;
/** Room for the matrix, about; cells and their labels are as large as fits, within bounds. */
const matrixSide = 720;
const [smallestCell, largestCell] = [9, 64];
/** Numbers are written into cells of this size or more. */
const numberedCell = 30;
const longestLabel = 150;
/** Of the list of mistakes: as long as its texts, within this. */
const longestList = 520;
const countWidth = 80;
const listed = 24;
const rowHeight = 22;

/**
 * A confusion matrix: rows are true classes, columns the predicted ones, dark where many of a row's images are; beside it
 * the classes that are most often taken for another.
 *
 * @returns a PNG file; equal input gives equal bytes
 */
export function drawConfusionSheet({ classes, counts }: Confusion, heading: string): Buffer {
  const cell = Math.min(largestCell, Math.max(smallestCell, matrixSide / classes.length));
  const labelSize = Math.min(13, Math.max(8, cell - 1));
  const labelWidth = Math.min(longestLabel, Math.max(...classes.map((name) => textWidth(name, labelSize))));
  const side = cell * classes.length;
  const [left, listLeft] = [margin + labelWidth + 34, margin + labelWidth + 34 + side + 40];
  const mistakes = worstMistakes(counts);
  const names = mistakes.map((mistake) => textWidth(mistakeText(mistake, classes), 13));
  const listWidth = Math.min(longestList, countWidth + Math.max(200, ...names));
  const width = listLeft + listWidth + margin;
  const note = wrapped(noteOf(counts), 13, width - 2 * margin);
  const keyTop = margin + 28 + note.length * 18;
  const key = keysSvg([{ map: blues, low: 'share of the images of a class: 0 %', high: '100 %' }], {
    left: margin,
    top: keyTop,
    width: width - 2 * margin,
  });
  const top = keyTop + key.height + 34;
  const listHeight = (mistakes.length + 2) * rowHeight;
  const height = top + Math.max(side + labelWidth + 16, listHeight) + margin;
  return svgToPng(
    [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${coordinate(width)}" height="${coordinate(height)}" font-family="${fontFamily}">`,
      '<style>.heading{font-size:18px;font-weight:600;fill:#1c2330}.label{font-size:14px;font-weight:600;fill:#1c2330}.caption{font-size:13px;fill:#5b6473}</style>',
      '<rect width="100%" height="100%" fill="#fff"/>',
      `<text class="heading" x="${margin}" y="${margin + 14}">${escapeXml(heading)}</text>`,
      ...note.map(
        (line, i) => `<text class="caption" x="${margin}" y="${margin + 38 + i * 18}">${escapeXml(line)}</text>`,
      ),
      ...key.parts,
      `<g transform="translate(${coordinate(left)} ${top})">`,
      ...matrixParts(counts, cell),
      ...labelParts(classes, cell, labelSize, labelWidth),
      '</g>',
      ...listParts(mistakes, { classes, counts }, { left: listLeft, width: listWidth, top }),
      '</svg>',
    ].join(''),
  );
}

function noteOf(counts: Confusion['counts']): string {
  const total = counts.flat().reduce((sum, count) => sum + count, 0);
  const right = counts.reduce((sum, row, c) => sum + row[c]!, 0);
  return `${total} images, of which ${((100 * right) / total).toFixed(1)} % are on the diagonal: their class is the predicted one.`;
}

/** Those that hold the most images, of equal ones the first. */
function worstMistakes(counts: Confusion['counts']): Mistake[] {
  return counts
    .flatMap((row, actual) => row.map((count, predicted) => ({ actual, predicted, count })))
    .filter(({ actual, predicted, count }) => actual !== predicted && count > 0)
    .sort((a, b) => b.count - a.count || a.actual - b.actual || a.predicted - b.predicted)
    .slice(0, listed);
}

function matrixParts(counts: Confusion['counts'], cell: number): string[] {
  const side = coordinate(cell * counts.length);
  const cells = counts.flatMap((row, y) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.flatMap((count, x) => (count === 0 ? [] : [cellSvg(count / total, x * cell, y * cell, cell)]));
  });
  return [`<rect width="${side}" height="${side}" fill="none" stroke="#8a93a3"/>`, ...cells];
}

function cellSvg(share: number, x: number, y: number, cell: number): string {
  const colour = mapColours([share], blues, [0, 1]).join(',');
  const size = coordinate(cell);
  const rect = `<rect x="${coordinate(x)}" y="${coordinate(y)}" width="${size}" height="${size}" fill="rgb(${colour})"/>`;
  if (cell < numberedCell) return rect;
  const text = `<text x="${coordinate(x + cell / 2)}" y="${coordinate(y + cell / 2 + 4)}" text-anchor="middle" font-size="11" fill="${share > 0.5 ? '#fff' : '#1c2330'}">${Math.round(100 * share)}</text>`;
  return rect + text;
}

/** True classes to the left, predicted ones below. */
function labelParts(classes: readonly string[], cell: number, size: number, width: number): string[] {
  const side = cell * classes.length;
  const style = `font-size="${coordinate(size)}" fill="#5b6473" text-anchor="end"`;
  const names = classes.flatMap((name, c) => {
    const text = escapeXml(fitted(name, size, width));
    const at = coordinate((c + 0.5) * cell + size * 0.35);
    return [
      `<text ${style} x="-6" y="${at}">${text}</text>`,
      `<text ${style} transform="translate(${at} ${coordinate(side + 6)}) rotate(-90)">${text}</text>`,
    ];
  });
  const middle = coordinate(side / 2);
  return [
    ...names,
    `<text class="label" x="${middle}" y="-10" text-anchor="middle">predicted class</text>`,
    `<text class="label" text-anchor="middle" transform="translate(${coordinate(-width - 18)} ${middle}) rotate(-90)">true class</text>`,
  ];
}

function mistakeText({ actual, predicted }: Mistake, classes: Confusion['classes']): string {
  return `${classes[actual]} → ${classes[predicted]}`;
}

function listParts(
  mistakes: readonly Mistake[],
  { classes, counts }: Confusion,
  { left, width, top }: { readonly left: number; readonly width: number; readonly top: number },
): string[] {
  if (mistakes.length === 0) return [];
  const rows = mistakes.map((mistake, i) => {
    const total = counts[mistake.actual]!.reduce((sum, each) => sum + each, 0);
    const names = fitted(mistakeText(mistake, classes), 13, width - countWidth);
    const y = top + (i + 2) * rowHeight - 8;
    return (
      `<text class="caption" x="${coordinate(left)}" y="${y}">${escapeXml(names)}</text>` +
      `<text class="caption" x="${coordinate(left + width)}" y="${y}" text-anchor="end">${mistake.count} of ${total}</text>`
    );
  });
  return [`<text class="label" x="${coordinate(left)}" y="${top + 6}">Most often taken for another</text>`, ...rows];
}
