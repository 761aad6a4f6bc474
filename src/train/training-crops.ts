import { z } from 'zod';
import type { View } from '../data/views.js';

/** Setting of every method: whether images are decoded anew each time. */
export const imageCache = z
  .enum(['none', 'memory'])
  .default('none')
  .describe('Keep decoded images: memory is for sets that fit into half of the machine’s, and changes no crop.');

/** What a recipe says of the crops that it trains on. */
interface CropOptions {
  readonly imageSize: number;
  readonly cropScale: readonly [number, number];
  readonly flip: boolean;
}

/** The crops of a recipe. */
export function trainingCrops({ imageSize, cropScale, flip }: CropOptions): View & { kind: 'random-resized-crop' } {
  return { kind: 'random-resized-crop', size: imageSize, scale: cropScale, flip };
}
