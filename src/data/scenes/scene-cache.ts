import type { SceneAddress } from '../dataset.js';
import { type RenderedScene, renderScene } from './render.js';

/** Bytes of scenes that one thread keeps; drawing a scene takes longer than a training step needs for it. */
const LIMIT = 64 * 2 ** 20;

const kept = new Map<string, RenderedScene>();
let bytes = 0;

/** A scene, drawn at its first use and then kept while there is room. Callers must not write to it. */
export function cachedScene(address: SceneAddress): RenderedScene {
  const key = `${address.seed} ${address.split} ${address.index} ${address.size}`;
  const found = kept.get(key);
  if (found) return found;
  const scene = renderScene(address);
  const size = scene.rgb.length + scene.pixels.length;
  if (bytes + size <= LIMIT) {
    kept.set(key, scene);
    bytes += size;
  }
  return scene;
}
