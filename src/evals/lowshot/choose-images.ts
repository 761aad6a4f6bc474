import { Random } from '../../support/random.js';
import type { Budget } from './lowshot-options.js';

/** Separates these random numbers from those of other users of the same seed: "shot". */
const STREAM = 0x73686f74;

/**
 * Images to learn from, by their places, ascending: of each class the first of a random order, so many as the budget says
 * but one at least and no more than there are. Larger budgets hold the images of smaller ones.
 *
 * @param labels class of each image, -1 where there is none
 */
export function chooseImages(labels: Int32Array, budget: Budget, seed: number, split: number): Int32Array {
  const byClass = new Map<number, number[]>();
  labels.forEach((label, image) => {
    if (label < 0) return;
    const images = byClass.get(label);
    if (images) images.push(image);
    else byClass.set(label, [image]);
  });
  const chosen: number[] = [];
  for (const [label, images] of byClass) {
    const random = Random.from(seed, STREAM, split, label);
    const share = budget.endsWith('%')
      ? Math.round((Number.parseInt(budget, 10) / 100) * images.length)
      : Number(budget);
    chosen.push(...random.shuffle(images).slice(0, Math.max(1, share)));
  }
  return Int32Array.from(chosen).sort();
}
