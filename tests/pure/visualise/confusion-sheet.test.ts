import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { drawConfusionSheet } from '../../../src/visualise/confusion-sheet.js';

const confusion = (counts: number[][]) => ({ classes: counts.map((_, c) => `class ${c}`), counts });

/** Pixels of exactly a colour. */
async function count(png: Buffer, colour: readonly number[]): Promise<number> {
  const data = await sharp(png).removeAlpha().raw().toBuffer();
  let found = 0;
  for (let at = 0; at < data.length; at += 3)
    if (colour.every((value, channel) => data[at + channel] === value)) found++;
  return found;
}

/** The ends of the scale: all images of a class, and half of them. */
const [all, half] = [
  [8, 48, 107],
  [106, 173, 213],
];

describe('the confusion matrix', () => {
  it('has a dark cell where all images of a class are, two lighter ones where they are divided', async () => {
    const png = drawConfusionSheet(
      confusion([
        [4, 0, 0],
        [0, 1, 1],
        [0, 0, 9],
      ]),
      'Test',
    );
    // Cells are 64 units large, two pixels a unit, with a number in the middle; the key has some of each colour, too.
    const cell = (2 * 64) ** 2;
    const [dark, light] = [await count(png, all!), await count(png, half!)];
    expect(dark).toBeGreaterThan(1.9 * cell);
    expect(dark).toBeLessThan(2.2 * cell);
    expect(light).toBeGreaterThan(1.9 * cell);
    expect(light).toBeLessThan(2.2 * cell);
  });

  it('is the same every time, and another for other numbers', () => {
    const one = drawConfusionSheet(
      confusion([
        [3, 1],
        [0, 2],
      ]),
      'Test',
    );
    expect(
      one.equals(
        drawConfusionSheet(
          confusion([
            [3, 1],
            [0, 2],
          ]),
          'Test',
        ),
      ),
    ).toBe(true);
    expect(
      one.equals(
        drawConfusionSheet(
          confusion([
            [2, 2],
            [0, 2],
          ]),
          'Test',
        ),
      ),
    ).toBe(false);
  });

  it('takes classes without images, and a hundred of them', async () => {
    const counts = Array.from({ length: 100 }, (_, c) =>
      Array.from({ length: 100 }, (__, d) => (c === d && c > 0 ? 1 : 0)),
    );
    const { width, height } = await sharp(drawConfusionSheet(confusion(counts), 'Test')).metadata();
    expect(width).toBeLessThan(3200);
    expect(height).toBeLessThan(3200);
  });
});
