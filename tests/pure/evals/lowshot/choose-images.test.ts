import { describe, expect, it } from 'vitest';
import { chooseImages } from '../../../../src/evals/lowshot/choose-images.js';
import { budgets } from '../../../../src/evals/lowshot/lowshot-options.js';

/** 100 images of class 0, 30 of class 1, 3 of class 2, mixed, and 5 without a class. */
const labels = Int32Array.from({ length: 138 }, (_, i) =>
  (i * 53) % 138 < 100 ? 0 : (i * 53) % 138 < 130 ? 1 : (i * 53) % 138 < 133 ? 2 : -1,
);
const counts = (images: Int32Array) => [-1, 0, 1, 2].map((c) => images.filter((image) => labels[image] === c).length);

describe('images of a budget', () => {
  it.each([
    ['1', [0, 1, 1, 1]],
    ['2', [0, 2, 2, 2]],
    ['5', [0, 5, 5, 3]],
    ['1%', [0, 1, 1, 1]],
    ['10%', [0, 10, 3, 1]],
  ] as const)('%s', (budget, expected) => {
    const images = chooseImages(labels, budget, 0, 0);
    expect(counts(images)).toEqual(expected);
    expect([...images]).toEqual([...new Set(images)].sort((a, b) => a - b));
  });

  it('differ between splits and seeds, and are the same again', () => {
    const of = (seed: number, split: number) => [...chooseImages(labels, '5', seed, split)].join();
    expect(new Set([of(0, 0), of(0, 1), of(0, 2), of(1, 0)]).size).toBe(4);
    expect(of(0, 2)).toBe(of(0, 2));
  });

  it('hold those of smaller budgets', () => {
    const [one, , five] = budgets.slice(0, 3).map((budget) => new Set(chooseImages(labels, budget, 3, 1)));
    expect([...one!].every((image) => five!.has(image))).toBe(true);
  });
});
