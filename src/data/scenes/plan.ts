import type { Random } from '../../support/random.js';
import type { ObjectForm, ObjectKind } from './brush.js';
import { materials, type Texture } from './materials.js';
import { length, wave } from './noise.js';
import { cup, house } from './objects-made.js';
import { fish, flower, mushroom, tree } from './objects-natural.js';
import { ball, box, cross, gear, ring, star } from './objects-plain.js';
import { drawPair, huesOf } from './palette.js';

/** Lengths and places are fractions of the image side, x to the right, y down. */
export interface Scene {
  /** What kind of place it is, an index into the places. */
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
  /** The colours of its bricks or dots run through these, each two pairs: 12 numbers. */
  paints: readonly Float32Array[];
  cos: number;
  sin: number;
  period: number;
  /** Perspective: how much nearer the right and the lower border are. */
  nearX: number;
  nearY: number;
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

/** Deviation of the hue of one cell, in turns. */
const jitter = 0.02;

const families = Object.values(materials);
const objectKinds = Object.values(kinds);

/** The two materials of each kind of place; every material belongs to three. */
const places = families.flatMap((_, i) => [[i, (i + 1) % families.length], ...(i < 4 ? [[i, i + 4]] : [])]);

/** Names of the kinds of places. */
export const placeNames: readonly string[] = places.map((pair) => pair.map((i) => materialNames[i]).join(' and '));

/** The kind of place: the first draw of the scene's stream. */
export function drawLabel(random: Random): number {
  return random.integer(0, places.length - 1);
}

function drawKind(random: Random): number {
  return random.integer(0, objectKinds.length - 1);
}

/** Draws everything a picture shows. */
export function planScene(random: Random): Scene {
  const label = drawLabel(random);
  const light = drawLight(random);
  const layers = drawLayers(random, places[label]!);
  const main = placeObject(random, drawKind(random), {
    x: random.uniform(0.36, 0.64),
    y: random.uniform(0.36, 0.64),
    radius: random.uniform(0.22, 0.34),
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
    const other = placeObject(random, drawKind(random), place);
    if (random.uniform() < 0.6) objects.unshift(other);
    else objects.push(other);
  }
  return { label, layers, objects, light, seed: random.uint32() | 0 };
}

/** Colours of the cells of one surface of a class: its three hues, twice each, in random order. */
function drawPaints(random: Random, pixelClass: number): Float32Array[] {
  const hues = huesOf(pixelClass);
  return random.shuffle([0, 1, 2, 0, 1, 2]).map((i) => {
    const hue = hues[i]! + jitter * random.normal();
    return Float32Array.from([...drawPair(random, hue), ...drawPair(random, hue)]);
  });
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

function drawLayers(random: Random, place: readonly number[]): Layer[] {
  const [a, b] = random.shuffle([...place]) as [number, number];
  const order = [a, b, a];
  const count = random.integer(2, 3);
  return Array.from({ length: count }, (_, i) => {
    const angle = random.uniform(-0.6, 0.6);
    return {
      material: order[i]!,
      texture: families[order[i]!]!(random),
      paints: drawPaints(random, order[i]!),
      cos: Math.cos(angle),
      sin: Math.sin(angle),
      period: 0.12 * 2 ** random.uniform(-0.4, 0.4),
      nearX: random.uniform(-0.3, 0.3),
      nearY: random.uniform(-0.3, 0.3),
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
    paints: [0, 1, 2].map(() => drawPaints(random, families.length + kind)),
    cos: Math.cos(angle),
    sin: Math.sin(angle),
    scaleX: (random.pick([-1, 1]) * stretch) / place.radius,
    scaleY: 1 / (stretch * place.radius),
  };
}
