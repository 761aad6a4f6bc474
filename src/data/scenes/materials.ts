import type { Random } from '../../support/random.js';
import { hash, length, smoothstep, valueNoise, wave } from './noise.js';

/** What a texture says about one point. */
export interface Texel {
  /** How much of the second colour, in [0, 1]. */
  mix: number;
  /** Which brick, dot or stripe the point belongs to: a number in [0, 1) that tints it. */
  cell: number;
}

/** Writes the texel at (u, v), in periods of the texture; `blur` is the width of a pixel in the same unit. */
export type Texture = (u: number, v: number, blur: number, out: Texel) => void;

/** Draws one texture of a family. */
type Material = (random: Random) => Texture;

function seedOf(random: Random): number {
  return random.uint32() | 0;
}

const plain: Material = (random) => {
  const seed = seedOf(random);
  return (u, v, _blur, out) => {
    out.mix = 0.35 + 0.3 * valueNoise(u * 0.3, v * 0.3, seed);
    out.cell = valueNoise(u * 0.5, v * 0.5, seed + 1) * 1.6 - 0.3;
  };
};

const stripes: Material = (random) => {
  const seed = seedOf(random);
  const width = random.uniform(0.35, 0.6);
  return (u, _v, blur, out) => {
    out.mix = band(u - Math.floor(u), width, blur);
    out.cell = hash(Math.floor(u), 0, seed);
  };
};

const checks: Material = (random) => {
  const seed = seedOf(random);
  return (u, v, blur, out) => {
    const a = band(u / 2 - Math.floor(u / 2), 0.5, blur / 2) * 2 - 1;
    const b = band(v / 2 - Math.floor(v / 2), 0.5, blur / 2) * 2 - 1;
    out.mix = 0.5 + 0.5 * a * b;
    out.cell = hash(Math.floor(u), Math.floor(v), seed);
  };
};

const dots: Material = (random) => {
  const seed = seedOf(random);
  const radius = random.uniform(0.24, 0.36);
  const shift = random.pick([0, 0.5]);
  return (u, v, blur, out) => {
    const row = Math.floor(v);
    const along = u + shift * (row & 1);
    const column = Math.floor(along);
    const distance = length(along - column - 0.5, v - row - 0.5);
    out.mix = smoothstep(radius + blur / 2, radius - blur / 2, distance);
    out.cell = hash(column, row, seed);
  };
};

const bricks: Material = (random) => {
  const seed = seedOf(random);
  const joint = random.uniform(0.12, 0.2);
  const length = random.uniform(1.8, 2.4);
  return (u, v, blur, out) => {
    const row = Math.floor(v);
    const along = u / length + 0.5 * (row & 1);
    const column = Math.floor(along);
    const inside = Math.min(edge(v - row), edge(along - column) * length);
    out.mix = smoothstep(joint / 2 + blur / 2, joint / 2 - blur / 2, inside);
    out.cell = hash(column, row, seed);
  };
};

const waves: Material = (random) => {
  const seed = seedOf(random);
  const swing = random.uniform(0.3, 0.5);
  const rate = random.uniform(0.26, 0.38);
  return (u, v, blur, out) => {
    const at = u + swing * wave(v * rate);
    out.mix = band(at - Math.floor(at), 0.45, blur * 1.3);
    out.cell = hash(Math.floor(at), 1, seed);
  };
};

const clouds: Material = (random) => {
  const seed = seedOf(random);
  return (u, v, _blur, out) => {
    const broad = valueNoise(u * 0.7, v * 0.7, seed);
    const fine = valueNoise(u * 1.6, v * 1.6, seed + 1) * 0.5 + valueNoise(u * 3.4, v * 3.4, seed + 2) * 0.25;
    out.mix = smoothstep(0.45, 1.25, broad + fine);
    out.cell = valueNoise(u * 0.7, v * 0.7, seed + 3) * 1.6 - 0.3;
  };
};

const pebbles: Material = (random) => {
  const seed = seedOf(random);
  const joint = random.uniform(0.07, 0.13);
  return (u, v, blur, out) => {
    const column = Math.floor(u);
    const row = Math.floor(v);
    let nearest = 9;
    let second = 9;
    for (let y = row - 1; y <= row + 1; y++) {
      for (let x = column - 1; x <= column + 1; x++) {
        const dx = x + 0.15 + 0.7 * hash(x, y, seed) - u;
        const dy = y + 0.15 + 0.7 * hash(x, y, seed + 1) - v;
        const distance = dx * dx + dy * dy;
        if (distance < nearest) {
          second = nearest;
          nearest = distance;
          out.cell = hash(x, y, seed + 2);
        } else if (distance < second) second = distance;
      }
    }
    const gap = Math.sqrt(second) - Math.sqrt(nearest);
    out.mix = smoothstep(joint + blur, joint - blur, gap);
  };
};

/** Background families; they differ by pattern alone, never by colour, direction or place. */
export const materials: Readonly<Record<string, Material>> = {
  plain,
  stripes,
  checks,
  dots,
  bricks,
  waves,
  clouds,
  pebbles,
};

/** 1 in the first `width` of each period, 0 in the rest; `phase` in [0, 1), edges as wide as `blur`. */
export function band(phase: number, width: number, blur: number): number {
  const offset = Math.abs(phase - width / 2);
  return smoothstep((width + blur) / 2, (width - blur) / 2, Math.min(offset, 1 - offset));
}

function edge(phase: number): number {
  return Math.min(phase, 1 - phase);
}
