import { Random } from '../../support/random.js';
import { Canvas } from './canvas.js';
import { develop } from './develop.js';
import { drawLayers } from './draw-layers.js';
import { drawObject } from './draw-objects.js';
import { drawLabel, materialNames, objectNames, placeNames, planScene } from './plan.js';

/** Names of the classes of scenes: kinds of places. */
export const sceneClasses: readonly string[] = placeNames;

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
 * Renders a scene of the built-in procedural data set: a place of two patterned materials, with one main object and at
 * most one small one, under uneven light, with shadows and sensor noise.
 *
 * The class of the image is the pair of materials, the classes of pixels are materials and kinds of objects. As in
 * photographs, one small piece tells little and its company much: a surface shows three of thirteen hues, brick by
 * brick, and each hue occurs in several classes. Directions, outlines, sizes and objects are drawn independently.
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
