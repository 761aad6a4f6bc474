import type { Random } from '../../support/random.js';
import type { ObjectForm, ObjectKind } from './brush.js';
import { materials, type Texture } from './materials.js';
import { length, wave } from './noise.js';
import { cup, house } from './objects-made.js';
import { fish, flower, mushroom, tree } from './objects-natural.js';
import { ball, box, cross, gear, ring, star } from './objects-plain.js';
import { drawPair } from './palette.js';

/** Lengths and places are fractions of the image side, x to the right, y down. */
export interface Scene {
  /** Kind of the main object, an index into the kinds of objects. */
  label: number;
  /** Sheets of material, from the bottom one, which covers everything. */
  layers: Layer[];
  /** From back to front. */
  objects: PlacedObject[];
  light: Light;
  seed: number;
}

/** A sheet of one material with a free outline. */
export interface Layer {
  material: number;
  texture: Texture;
  /** The colours run through these, each two pairs: 12 numbers. */
  paints: readonly Float32Array[];
  /** How much of it is by brick or dot and not by place, in [0, 1]. */
  perCell: number;
  cos: number;
  sin: number;
  period: number;
  /** Perspective: how much nearer the right and the lower border are. */
  nearX: number;
  nearY: number;
  /** Where the colours wander to: a phase. */
  wander: number;
  /** Distance to the outline, negative where the sheet is. */
  outline: (x: number, y: number) => number;
}

/** An object with its place, size and direction. */
export interface PlacedObject {
  kind: number;
  form: ObjectForm;
  /** The colours of each of its parts, like those of a layer. */
  paints: readonly (readonly Float32Array[])[];
  x: number;
  y: number;
  radius: number;
  cos: number;
  sin: number;
  /** From the image to the object's own frame; a negative one mirrors the object. */
  scaleX: number;
  scaleY: number;
}

/** Where the light comes from and how the picture is taken. */
export interface Light {
  /** Unit direction towards the light, z towards the viewer. */
  x: number;
  y: number;
  z: number;
  /** How much brighter the side of the image towards the light is. */
  fall: number;
  /** Part of a pixel that spreads to each neighbour, and the deviation of the sensor noise (8-bit steps). */
  blur: number;
  noise: number;
}

const kinds: Readonly<Record<string, ObjectKind>> = {
  ball,
  box,
  ring,
  star,
  cross,
  gear,
  tree,
  fish,
  mushroom,
  flower,
  house,
  cup,
};

/** Names of the materials that cover backgrounds. */
export const materialNames: readonly string[] = Object.keys(materials);
/** Names of the kinds of objects. */
export const objectNames: readonly string[] = Object.keys(kinds);

/** Deviation of the hues on one surface, in turns. */
const spread = 0.17;

const families = Object.values(materials);
const objectKinds = Object.values(kinds);

/** The kind of the main object: the first draw of the scene's stream. */
export function drawLabel(random: Random): number {
  return random.integer(0, objectKinds.length - 1);
}

/** Draws everything a picture shows; colours are drawn without regard to materials and kinds. */
export function planScene(random: Random): Scene {
  const label = drawLabel(random);
  const light = drawLight(random);
  const layers = drawLayers(random);
  const main = placeObject(random, label, {
    x: random.uniform(0.36, 0.64),
    y: random.uniform(0.36, 0.64),
    radius: random.uniform(0.3, 0.43),
  });
  const objects = [main];
  for (let i = random.integer(0, 1); i > 0; i--) {
    const angle = random.uniform(0, 2 * Math.PI);
    const away = main.radius + random.uniform(0.06, 0.16);
    const place = {
      x: main.x + away * Math.cos(angle),
      y: main.y + away * Math.sin(angle),
      radius: random.uniform(0.11, 0.18),
    };
    const other = placeObject(random, drawLabel(random), place);
    if (random.uniform() < 0.6) objects.unshift(other);
    else objects.push(other);
  }
  return { label, layers, objects, light, seed: random.uint32() | 0 };
}

/** Colours of the cells of one surface: `runs` steps between pairs of colours, loosely around one hue. */
function drawPaints(random: Random, runs: number): Float32Array[] {
  const hue = random.uniform();
  const pairs = Array.from({ length: runs + 1 }, () => drawPair(random, hue + spread * random.normal()));
  return pairs.slice(1).map((pair, i) => Float32Array.from([...pairs[i]!, ...pair]));
}

function drawLight(random: Random): Light {
  const angle = random.uniform(-0.9, -0.1) * Math.PI;
  const height = random.uniform(0.45, 0.8);
  const across = Math.sqrt(1 - height * height);
  return {
    x: across * Math.cos(angle),
    y: across * Math.sin(angle),
    z: height,
    fall: random.uniform(0.1, 0.3),
    blur: random.uniform(0, 0.06),
    noise: random.uniform(1, 3),
  };
}

function drawLayers(random: Random): Layer[] {
  const order = random.shuffle(families.map((_, material) => material));
  const count = random.pick([4, 5, 6]);
  return Array.from({ length: count }, (_, i) => {
    const angle = random.uniform(-0.6, 0.6);
    return {
      material: order[i]!,
      texture: families[order[i]!]!(random),
      paints: drawPaints(random, 7),
      perCell: random.uniform(0.6, 1),
      cos: Math.cos(angle),
      sin: Math.sin(angle),
      period: 0.09 * 2 ** random.uniform(-0.4, 0.4),
      nearX: random.uniform(-0.3, 0.3),
      nearY: random.uniform(-0.3, 0.3),
      wander: random.uniform(0, 1),
      outline: i === 0 ? () => -1 : drawOutline(random),
    };
  });
}

/** A wavy edge across the image, or a round patch that reaches out of it. */
function drawOutline(random: Random): Layer['outline'] {
  const swing = random.uniform(0, 0.05);
  const rate = random.uniform(0.6, 1.9);
  const phase = random.uniform(0, 1);
  const angle = random.uniform(0, 2 * Math.PI);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  if (random.uniform() < 0.65) {
    const offset = random.uniform(0.12, 0.34);
    return (x, y) => {
      const across = (x - 0.5) * cos + (y - 0.5) * sin;
      const along = (y - 0.5) * cos - (x - 0.5) * sin;
      return across + offset + swing * wave(along * rate + phase);
    };
  }
  const away = random.uniform(0.25, 0.5);
  const radius = random.uniform(0.22, 0.32);
  return (x, y) => {
    const dx = x - 0.5 - away * cos;
    const dy = y - 0.5 - away * sin;
    const wobble = wave(dx * rate + phase) + wave(dy * rate - phase);
    return length(dx, dy) - radius + swing * 0.6 * wobble;
  };
}

function placeObject(random: Random, kind: number, place: { x: number; y: number; radius: number }): PlacedObject {
  const angle = random.uniform(-0.6, 0.6);
  const stretch = random.uniform(0.86, 1.16);
  return {
    ...place,
    kind,
    form: objectKinds[kind]!(random),
    paints: [0, 1, 2].map(() => drawPaints(random, 5)),
    cos: Math.cos(angle),
    sin: Math.sin(angle),
    scaleX: (random.pick([-1, 1]) * stretch) / place.radius,
    scaleY: 1 / (stretch * place.radius),
  };
}
