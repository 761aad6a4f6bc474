import { type Brush, fraction, type ObjectKind, rectangle } from './brush.js';
import { band } from './materials.js';
import { hash, length, smoothstep, wave } from './noise.js';

const turn = 2 * Math.PI;

/** A striped sphere. */
export const ball: ObjectKind = (random) => {
  const tilt = random.uniform(-0.9, 0.9);
  const count = random.integer(5, 7);
  return {
    rim: 0.92,
    distance: (x, y) => length(x, y) - 0.92,
    paint(x, y, blur, brush) {
      const height = Math.sqrt(Math.max(0, 0.85 - x * x - y * y));
      const latitude = Math.asin(clamp((y * Math.cos(tilt) + height * Math.sin(tilt)) / 0.92));
      const at = (latitude / Math.PI) * count;
      brush.mix = band(fraction(at), 0.5, blur * count * 0.4);
      brush.cell = hash(Math.floor(at + 0.25), 0, count);
    },
  };
};

/** A cube with checked faces, seen from a corner. */
export const box: ObjectKind = (random) => {
  const count = random.integer(2, 3);
  const turned = random.uniform(-0.12, 0.12);
  const half = Math.sqrt(0.75);
  return {
    rim: 0.03,
    distance: (x, y) => Math.max(Math.abs(x) - half * 0.95, Math.abs(x) * 0.5 + Math.abs(y) * half - half * 0.95),
    paint(x, y, blur, brush) {
      let a: number;
      let b: number;
      if (y < -Math.abs(x) / (2 * half) + turned * x) {
        a = x / half / 2 + y;
        b = -x / half / 2 + y;
        brush.slopeY = 0.55;
      } else {
        a = x / half;
        b = y + Math.abs(x) / half / 2;
        brush.slopeX = x > 0 ? -0.7 : 0.7;
        brush.slopeY = -0.35;
        brush.pair = 1;
      }
      const u = band(fraction((a * count) / 2), 0.5, blur * count) * 2 - 1;
      const v = band(fraction((b * count) / 2), 0.5, blur * count) * 2 - 1;
      brush.mix = 0.5 + 0.5 * u * v;
      brush.cell = hash(Math.floor(a * count), Math.floor(b * count), brush.pair);
    },
  };
};

/** A lifebuoy: a torus in coloured sections. */
export const ring: ObjectKind = (random) => {
  const sections = random.integer(4, 6);
  const middle = random.uniform(0.6, 0.68);
  const thick = 0.94 - middle;
  return {
    rim: thick,
    distance: (x, y) => Math.abs(length(x, y) - middle) - thick,
    paint(x, y, blur, brush) {
      const at = (Math.atan2(y, x) / turn) * sections;
      brush.mix = band(fraction(at), 0.5, blur * sections * 0.25);
      brush.cell = hash(Math.floor(at * 2), 0, sections);
    },
  };
};

/** A five-pointed star with a ridge along every arm. */
export const star: ObjectKind = (random) => {
  const inner = random.uniform(0.4, 0.5);
  // Of the wedge between an arm and the next notch: the outward normal of its outer edge.
  const tipX = 0.98;
  const notchX = inner * Math.cos(turn / 10);
  const notchY = inner * Math.sin(turn / 10);
  const edge = length(tipX - notchX, notchY);
  const normalX = notchY / edge;
  const normalY = (tipX - notchX) / edge;
  const wedge = (x: number, y: number) => {
    const sector = (Math.atan2(x, -y) / turn) * 5;
    const angle = ((sector - Math.round(sector)) * turn) / 5;
    return { angle, radius: length(x, y) };
  };
  return {
    rim: 0.03,
    distance(x, y) {
      const { angle, radius } = wedge(x, y);
      return (radius * Math.cos(angle) - tipX) * normalX + radius * Math.abs(Math.sin(angle)) * normalY;
    },
    paint(x, y, _blur, brush) {
      const { angle } = wedge(x, y);
      const arm = Math.atan2(y, x) - angle;
      const across = Math.sign(angle);
      brush.slopeX = -0.75 * (normalX * Math.cos(arm) - across * normalY * Math.sin(arm));
      brush.slopeY = -0.75 * (normalX * Math.sin(arm) + across * normalY * Math.cos(arm));
      brush.mix = angle > 0 ? 0.15 : 0.35;
      brush.cell = hash(Math.round(arm * 3), across, 1);
    },
  };
};

/** A thick plus sign with an inlaid line. */
export const cross: ObjectKind = (random) => {
  const arm = random.uniform(0.28, 0.36);
  const distance = (x: number, y: number) => Math.min(rectangle(x, y, 0.92, arm), rectangle(x, y, arm, 0.92));
  return {
    rim: 0.12,
    distance,
    paint(x, y, blur, brush) {
      const depth = -distance(x, y) - arm * 0.5;
      brush.cell = hash(Math.floor(x * 2.5), Math.floor(y * 2.5), 2);
      brush.mix = smoothstep(0.07 + blur / 2, 0.07 - blur / 2, Math.abs(depth));
    },
  };
};

/** A cog wheel with a hole, a groove and a brushed surface. */
export const gear: ObjectKind = (random) => {
  const teeth = random.integer(8, 11);
  const depth = random.uniform(0.09, 0.12);
  return {
    rim: 0.1,
    distance(x, y) {
      const radius = length(x, y);
      const tooth = Math.cos(Math.atan2(y, x) * teeth);
      const outer = radius - 0.82 - depth * smoothstep(-0.4, 0.4, tooth) + depth / 2;
      return Math.max(outer, 0.24 - radius);
    },
    paint(x, y, blur, brush) {
      const radius = length(x, y);
      const groove = Math.abs(radius - 0.52) - 0.07;
      brush.mix = 0.15 * (1 + wave(radius * 9.5)) + 0.7 * smoothstep(blur / 2, -blur / 2, groove);
      brush.cell = hash(Math.floor((Math.atan2(y, x) / turn) * teeth), groove < 0 ? 1 : 0, teeth);
      tiltRing(brush, x, y, radius, groove);
    },
  };
};

function tiltRing(brush: Brush, x: number, y: number, radius: number, groove: number): void {
  if (groove > 0) return;
  const tilt = (radius - 0.52) * 6;
  brush.slopeX = (tilt * x) / radius;
  brush.slopeY = (tilt * y) / radius;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(-1, value));
}
