import { ellipse, fraction, type ObjectKind, rectangle } from './brush.js';
import { band } from './materials.js';
import { hash, length, smoothstep, valueNoise, wave } from './noise.js';

const turn = 2 * Math.PI;

/** A trunk that forks under a crown of leaves. */
export const tree: ObjectKind = (random) => {
  const seed = random.uint32() | 0;
  const lobes = Array.from({ length: 7 }, (_, i) => ({
    x: 0.5 * Math.cos((i / 7) * turn) * (i === 0 ? 0 : 1) + random.uniform(-0.1, 0.1),
    y: -0.36 + 0.33 * Math.sin((i / 7) * turn) + random.uniform(-0.08, 0.08),
    r: random.uniform(0.26, 0.38),
  }));
  const crown = (x: number, y: number) => {
    let nearest = 9;
    for (const lobe of lobes) nearest = Math.min(nearest, length(x - lobe.x, y - lobe.y) - lobe.r);
    return nearest + 0.1 * (valueNoise(x * 9, y * 9, seed) - 0.5);
  };
  const trunk = (x: number, y: number) => {
    const flare = 0.09 + 0.1 * Math.max(0, y - 0.5) ** 2 * 4;
    return Math.max(Math.abs(x) - flare, Math.abs(y - 0.45) - 0.5);
  };
  return {
    rim: 0.25,
    distance: (x, y) => Math.min(crown(x, y), trunk(x, y)),
    paint(x, y, blur, brush) {
      if (crown(x, y) > blur / 2) {
        brush.pair = 1;
        brush.mix = band(fraction(x * 14 + 0.6 * wave(y * 1.4)), 0.5, blur * 14);
        return;
      }
      // Rows of round leaves, shifted like tiles and jittered, each lit on its upper side.
      const row = Math.floor(y * 5.5);
      const column = Math.floor(x * 5.5 + 0.5 * (row & 1));
      const dx = fraction(x * 5.5 + 0.5 * (row & 1)) - 0.5 + 0.4 * (hash(column, row, seed) - 0.5);
      const dy = fraction(y * 5.5) - 0.5 + 0.4 * (hash(column, row, seed + 1) - 0.5);
      brush.cell = hash(column, row, seed + 2);
      brush.mix = smoothstep(0.2, 0.5, length(dx, dy) - 0.5 * dy) * 0.8;
      brush.slopeY = -dy;
    },
  };
};

/** A fish with scales, fins and an eye. */
export const fish: ObjectKind = (random) => {
  const girth = random.uniform(0.38, 0.5);
  const size = random.uniform(0.15, 0.19);
  const body = (x: number, y: number) => ellipse(x + 0.18, y, 0.76, girth);
  const tail = (x: number, y: number) => {
    const along = x - 0.5;
    return Math.max(Math.abs(y) * 0.8 - along * 0.75 - 0.03, along - 0.42 + 0.35 * (0.5 - Math.abs(y)));
  };
  const fin = (x: number, y: number) => ellipse(x + 0.1, y + girth - 0.02, 0.36, 0.2);
  return {
    rim: 0.22,
    distance: (x, y) => Math.min(body(x, y), tail(x, y), fin(x, y)),
    paint(x, y, blur, brush) {
      const eye = length(x + 0.66, y + 0.1);
      if (eye < 0.12) {
        brush.pair = 2;
        brush.mix = smoothstep(0.06 + blur / 2, 0.06 - blur / 2, eye);
      } else if (body(x, y) > 0) {
        brush.pair = 1;
        const ray = x > 0.4 ? Math.atan2(y, x - 0.3) * 5 : x * 7 + y * 2;
        brush.mix = band(fraction(ray), 0.4, blur * 8);
      } else if (x > -0.42 + 0.6 * y * y) {
        const row = Math.floor(y / size);
        const phase = fraction(x / size + 0.5 * (row & 1)) - 0.5;
        const arc = length(phase, fraction(y / size) - 0.5) - 0.44;
        brush.mix = smoothstep(0.09 + blur / size, 0.09, Math.abs(arc));
        brush.cell = hash(row, Math.floor(x / size + 0.5 * (row & 1)), 7);
      } else brush.mix = 0.25;
    },
  };
};

/** A mushroom with a spotted cap. */
export const mushroom: ObjectKind = (random) => {
  const seed = random.uint32() | 0;
  const broad = random.uniform(0.82, 0.94);
  const stalk = random.uniform(0.2, 0.3);
  const cap = (x: number, y: number) => Math.max(ellipse(x, y - 0.12, broad, 1), y - 0.12 - 0.06 * Math.cos(x * 4));
  const stem = (x: number, y: number) => rectangle(x, y - 0.5, stalk * (0.8 + 0.35 * y * y), 0.42) - 0.04;
  return {
    rim: 0.3,
    distance: (x, y) => Math.min(cap(x, y), stem(x, y)),
    paint(x, y, blur, brush) {
      if (cap(x, y) > 0) {
        brush.pair = 1;
        brush.mix = 0.35 * band(fraction(x * 9), 0.5, blur * 9) + 0.4 * smoothstep(0.4, 0.15, y);
        return;
      }
      const u = x * 2.6 + 0.5;
      const v = (y + 0.9) * 2.9;
      const dx = fraction(u) - 0.5 + 0.3 * (hash(Math.floor(u), Math.floor(v), seed) - 0.5);
      const dy = fraction(v) - 0.5 + 0.3 * (hash(Math.floor(u), Math.floor(v), seed + 1) - 0.5);
      const radius = 0.22 + 0.12 * hash(Math.floor(u), Math.floor(v), seed + 2);
      brush.cell = hash(Math.floor(u), Math.floor(v), seed + 3);
      brush.mix = smoothstep(radius + blur * 1.4, radius - blur * 1.4, length(dx, dy));
    },
  };
};

/** A flower: veined petals around a dotted disc. */
export const flower: ObjectKind = (random) => {
  const petals = random.integer(5, 8);
  const depth = random.uniform(0.22, 0.32);
  const reach = (angle: number) => 0.95 - depth * (1 - Math.abs(Math.cos((angle * petals) / 2)) ** 0.7);
  return {
    rim: 0.16,
    distance: (x, y) => (length(x, y) - reach(Math.atan2(y, x))) * 0.8,
    paint(x, y, blur, brush) {
      const radius = length(x, y);
      const angle = Math.atan2(y, x);
      if (radius < 0.3) {
        brush.pair = 1;
        const grain = length(fraction(x * 9) - 0.5, fraction(y * 9) - 0.5);
        brush.mix = smoothstep(0.34 + blur * 5, 0.34 - blur * 5, grain);
        brush.slopeX = x * 2;
        brush.slopeY = y * 2;
        return;
      }
      const petal = fraction((angle * petals) / turn + 0.5) - 0.5;
      brush.cell = hash(Math.floor((angle * petals) / turn + 0.5) % petals, 0, petals);
      const vein = 0.3 * band(fraction(petal * 5), 0.3, blur * petals);
      brush.mix = 0.7 * smoothstep(0.75, 0.3, radius) + vein;
      brush.slopeX = petal * Math.sin(angle) * -1.6;
      brush.slopeY = petal * Math.cos(angle) * 1.6;
    },
  };
};
