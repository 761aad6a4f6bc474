import type { View } from '../data/views.js';

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
