// R patches · A pixels of a patch · C classes
import { Tensor } from '../../tensor/tensor.js';

/**
 * How many pixels of each patch have each class: (R, C) float32, the caller's. All pixels of a patch get its logits when
 * these are enlarged to the nearest patch, so that the cross-entropy of pixels is that of patches against these counts.
 *
 * @param blocks (R, A) labels of pixels, patch by patch
 * @param names labels of the classes; pixels with any other do not count
 * @param area pixels of a patch
 */
export function pixelTargets(blocks: Uint8Array, names: Uint8Array, area: number): Tensor {
  const classes = names.length;
  const places = new Int32Array(256).fill(-1);
  for (const [place, name] of names.entries()) places[name] = place;
  const counts = new Float32Array((blocks.length / area) * classes);
  for (const [i, label] of blocks.entries()) {
    const place = places[label]!;
    if (place >= 0) counts[Math.floor(i / area) * classes + place]!++;
  }
  return Tensor.from(counts, [blocks.length / area, classes]);
}
