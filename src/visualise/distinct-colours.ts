import { rgbOfLab } from './cie-lab.js';
import type { Colour } from './mark-pictures.js';

/** Lightness and chroma (CIE) in turn: those who see no red or no green tell colours apart by these. */
const tones = [
  [60, 60],
  [30, 40],
  [80, 50],
  [92, 20],
  [45, 45],
] as const;
/** Degrees of hue of the first colour and between following ones; of many the choice that keeps the first twelve farthest apart. */
const [FIRST, TURN] = [170, 97];

/** The colour at a place of an endless list whose first colours are easy to tell apart. */
export function distinctColour(place: number): Colour {
  const [lightness, chroma] = tones[place % tones.length]!;
  const hue = ((FIRST + place * TURN) * Math.PI) / 180;
  const [red, green, blue] = rgbOfLab([lightness, chroma * Math.cos(hue), chroma * Math.sin(hue)]);
  return [Math.round(255 * red), Math.round(255 * green), Math.round(255 * blue)];
}
