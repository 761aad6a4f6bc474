import type { ColourMap } from './colour-maps.js';
import { coordinate, escapeXml, textWidth } from './svg-text.js';

/** What a colour stands for, or what the ends of a scale of colours do. */
export type SheetKey =
  | { readonly colour: string; readonly label: string }
  | { readonly map: ColourMap; readonly low: string; readonly high: string };

const size = 15;
const rowHeight = 28;
const barWidth = 150;
const space = 28;
/** How far a text is right of the square before it. */
export const swatchWidth = 21;

/** Keys from left to right in rows that fit into a width, as SVG, and the height they take. */
export function keysSvg(
  keys: readonly SheetKey[],
  place: { readonly left: number; readonly top: number; readonly width: number },
): { readonly parts: string[]; readonly height: number } {
  let [x, y] = [place.left, place.top];
  const parts = keys.map((key, index) => {
    const width = keyWidth(key);
    if (x > place.left && x + width > place.left + place.width) [x, y] = [place.left, y + rowHeight];
    const part = keySvg(key, index, x, y);
    x += width + space;
    return part;
  });
  return { parts, height: keys.length > 0 ? y - place.top + rowHeight : 0 };
}

/** Width of the widest key: a sheet must not be narrower. */
export function widestKey(keys: readonly SheetKey[]): number {
  return Math.max(0, ...keys.map(keyWidth));
}

function keyWidth(key: SheetKey): number {
  if ('colour' in key) return swatchWidth + textWidth(key.label, size);
  return textWidth(key.low, size) + textWidth(key.high, size) + barWidth + 16;
}

/** A small square of a colour, to stand before a text. */
export function swatchSvg(colour: string, x: number, y: number): string {
  return `<rect x="${coordinate(x)}" y="${coordinate(y)}" width="14" height="14" rx="2" fill="${escapeXml(colour)}" stroke="#8a93a3" stroke-width="0.75"/>`;
}

function keySvg(key: SheetKey, index: number, x: number, y: number): string {
  const text = (label: string, at: number) =>
    `<text class="caption" x="${coordinate(at)}" y="${y + 16}">${escapeXml(label)}</text>`;
  if ('colour' in key) {
    return swatchSvg(key.colour, x, y + 4) + text(key.label, x + swatchWidth);
  }
  const bar = x + textWidth(key.low, size) + 8;
  const stops = Array.from({ length: 33 }, (_, i) => {
    const level = 3 * Math.round((i * 255) / 32);
    return `<stop offset="${i / 32}" stop-color="rgb(${key.map.subarray(level, level + 3).join(',')})"/>`;
  });
  return [
    text(key.low, x),
    `<defs><linearGradient id="scale-${index}">${stops.join('')}</linearGradient></defs>`,
    `<rect x="${coordinate(bar)}" y="${y + 4}" width="${barWidth}" height="14" rx="2" fill="url(#scale-${index})"/>`,
    text(key.high, bar + barWidth + 8),
  ].join('');
}
