import { type Dataset, fingerprintOf, type Item, type SceneAddress } from '../dataset.js';
import { sceneClasses, sceneLabel, scenePixelClasses } from '../scenes/render.js';

/** Built-in procedural scenes, with class and pixel labels; drawn by the workers. */
export function openScenes(
  spec: string,
  { split, count, size, seed }: { split: string; count: number; size: number; seed: number },
): Dataset {
  return {
    spec,
    size: count,
    classes: sceneClasses,
    pixelClasses: scenePixelClasses,
    notes: [],
    fingerprint: fingerprintOf(['scenes', split, count, size, seed]),
    item(index: number): Item {
      const scene: SceneAddress = { kind: 'scene', seed, split, index, size };
      const name = `${split}/${String(index).padStart(6, '0')}`;
      return { image: scene, name, label: sceneLabel(scene), pixels: scene };
    },
  };
}
