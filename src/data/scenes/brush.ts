import type { Random } from '../../support/random.js';
import type { Texel } from './materials.js';
import { length } from './noise.js';

/** The look of one point of an object's surface. */
export interface Brush extends Texel {
  /** Which of the object's colour pairs: 0 the body, 1 and 2 further parts. */
  pair: number;
  /** Slope of the surface along x and y, added to that of the rounded rim. */
  slopeX: number;
  slopeY: number;
}

/** An object in its own frame: about [-1, 1] on both axes, y down. */
export interface ObjectForm {
  /** Distance to the outline, negative inside. */
  distance(x: number, y: number): number;
  /** Describes a point inside; the brush comes reset. `blur` is the width of a pixel. */
  paint(x: number, y: number, blur: number, brush: Brush): void;
  /** Width of the rounded rim: 0 is flat, the radius of a disc makes it a sphere. */
  rim: number;
}

/** Draws one object of a kind. */
export type ObjectKind = (random: Random) => ObjectForm;

/** Distance to a rectangle with half sides `w` and `h` about the origin. */
export function rectangle(x: number, y: number, w: number, h: number): number {
  const dx = Math.abs(x) - w;
  const dy = Math.abs(y) - h;
  return length(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0);
}

/** Roughly the distance to an ellipse with half axes `a` and `b` about the origin. */
export function ellipse(x: number, y: number, a: number, b: number): number {
  const scaled = length(x / a, y / b);
  const slope = length(x / (a * a), y / (b * b));
  return slope === 0 ? -Math.min(a, b) : (scaled * (scaled - 1)) / slope;
}

/** Fractional part, in [0, 1). */
export function fraction(value: number): number {
  return value - Math.floor(value);
}
