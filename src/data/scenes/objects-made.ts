import { ellipse, fraction, type ObjectKind, rectangle } from './brush.js';
import { band } from './materials.js';
import { hash, smoothstep } from './noise.js';

/** A brick house with a shingled roof, a window and a door. */
export const house: ObjectKind = (random) => {
  const wide = random.uniform(0.58, 0.7);
  const side = random.pick([-1, 1]);
  const roof = (x: number, y: number) => Math.max((Math.abs(x) * 0.72 - (y + 0.92) * 0.72) * 0.98, y + 0.02);
  const wall = (x: number, y: number) => rectangle(x, y - 0.44, wide, 0.48);
  const chimney = (x: number, y: number) => rectangle(x - 0.42 * side, y + 0.62, 0.1, 0.24);
  return {
    rim: 0.04,
    distance: (x, y) => Math.min(roof(x, y), wall(x, y), chimney(x, y)),
    paint(x, y, blur, brush) {
      if (roof(x, y) < 0) {
        brush.pair = 1;
        brush.slopeY = 0.35;
        const row = Math.floor(y * 7);
        brush.cell = hash(row, Math.floor(x * 5 + 0.5 * (row & 1)), 2);
        brush.mix = Math.max(
          band(fraction(y * 7), 0.25, blur * 7),
          band(fraction(x * 5 + 0.5 * (row & 1)), 0.15, blur * 5),
        );
        return;
      }
      const window = rectangle(x - 0.26 * side, y - 0.36, 0.19, 0.19);
      const door = rectangle(x + 0.24 * side, y - 0.6, 0.15, 0.32);
      if (window < 0) {
        brush.pair = 2;
        const bars = Math.min(Math.abs(x - 0.26 * side), Math.abs(y - 0.36), -window);
        brush.mix = smoothstep(0.035 + blur / 2, 0.035 - blur / 2, bars);
      } else if (door < 0) {
        brush.pair = 1;
        brush.mix = smoothstep(0.03 + blur / 2, 0.03 - blur / 2, -door);
      } else {
        const row = Math.floor(y * 8);
        const joint = Math.max(
          band(fraction(y * 8), 0.2, blur * 8),
          band(fraction(x * 4 + 0.5 * (row & 1)), 0.12, blur * 4),
        );
        brush.mix = 0.8 * joint;
        brush.cell = hash(row, Math.floor(x * 4 + 0.5 * (row & 1)), side);
      }
    },
  };
};

/** A cup with a handle, a dark mouth and a zigzag band. */
export const cup: ObjectKind = (random) => {
  const taper = random.uniform(0.05, 0.22);
  const rate = random.uniform(3.2, 4.6);
  const wall = (x: number, y: number) => {
    const half = 0.62 - taper * (y + 0.6) * 0.6;
    const bottom = y - 0.78 + 0.18 * (x + 0.15) ** 2;
    return Math.max(Math.abs(x + 0.15) - half, -y - 0.62, bottom);
  };
  const mouth = (x: number, y: number) => ellipse(x + 0.15, y + 0.62, 0.62, 0.19);
  const handle = (x: number, y: number) => Math.abs(ellipse(x - 0.48, y - 0.02, 0.36, 0.38)) - 0.09;
  return {
    rim: 0.3,
    distance: (x, y) => Math.min(wall(x, y), mouth(x, y), handle(x, y)),
    paint(x, y, blur, brush) {
      if (mouth(x, y) < 0) {
        brush.pair = mouth(x, y) < -0.05 ? 1 : 0;
        brush.mix = brush.pair;
        brush.slopeY = brush.pair * -0.8;
        return;
      }
      const zigzag = 0.14 * (Math.abs(fraction(x * rate) - 0.5) * 4 - 1);
      const line = Math.abs(y - 0.08 - zigzag);
      brush.cell = hash(Math.floor(x * rate), Math.floor((y + 0.26) * 2.9), 3);
      const hem = Math.min(Math.abs(y + 0.26), Math.abs(y - 0.42));
      if (wall(x, y) < 0) brush.mix = smoothstep(0.06 + blur / 2, 0.06 - blur / 2, Math.min(line * 0.8, hem));
    },
  };
};
