import { Random } from '../../support/random.js';
import { Canvas } from './canvas.js';
import { develop } from './develop.js';
import { drawLayers } from './draw-layers.js';
import { drawObject } from './draw-objects.js';
import { drawLabel, materialNames, objectNames, planScene } from './plan.js';

/** Names of the classes of scenes: the kind of the main object. */
export const sceneClasses: readonly string[] = objectNames;

/** Names of the classes of pixels: materials of the background, then kinds of objects. */
export const scenePixelClasses: readonly string[] = [...materialNames, ...objectNames];

/** Which scene; equal addresses give equal scenes on every machine. */
export interface SceneAddress {
  /** Integer below 2^53. */
  seed: number;
  /** Any word; different splits share no scenes. */
  split: string;
  index: number;
}

/** One rendered scene. */
export interface RenderedScene {
  /** size x size x 3 bytes, sRGB, row-major. */
  rgb: Uint8Array;
  /** Index into `sceneClasses`. */
  label: number;
  /** size x size indices into `scenePixelClasses`. */
  pixels: Uint8Array;
}

/**
 * Renders a scene of the built-in procedural data set: sheets of patterned material under one main object and at
 * most one small one, with light, shadows and sensor noise. Class and pixel labels follow pattern and shape; colours,
 * directions and places are drawn independently of them.
 *
 * @param address `size` is the side of the square image in pixels, 16 or more
 */
export function renderScene(address: SceneAddress & { size: number }): RenderedScene {
  const scene = planScene(streamOf(address));
  const canvas = new Canvas(address.size);
  drawLayers(canvas, scene.layers, scene.light);
  for (const object of scene.objects) drawObject(canvas, object, scene.light, materialNames.length + object.kind);
  return { rgb: develop(canvas, scene.light, scene.seed), label: scene.label, pixels: canvas.pixels };
}

/** The label that `renderScene` gives, without rendering. */
export function sceneLabel(address: SceneAddress): number {
  return drawLabel(streamOf(address));
}

function streamOf({ seed, split, index }: SceneAddress): Random {
  // FNV-1a: the stream takes numbers, and splits are words.
  let word = 0x811c9dc5;
  for (const letter of split) word = Math.imul(word ^ letter.codePointAt(0)!, 0x01000193);
  return Random.from(seed, word >>> 0, index);
}
