import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/support/random.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, Tensor } from '../../../src/tensor/tensor.js';
import type { SampleImage } from '../../../src/visualise/sample-images.js';
import { drawSimilaritySheet, similaritiesTo } from '../../../src/visualise/similarity-sheet.js';
import { colourEncoder } from '../../support/colour-encoder.js';

/** Two images of 2 x 2 patches with two features each. */
const features = () => Tensor.from(Float32Array.from([1, 0, 3, 4, 0, 2, -1, 0, 0, 1, 5, 0, 1, 1, 2, 2]), [2, 2, 2, 2]);

const right = { x: 0.99, y: 0.2 };

function noise(index: number): SampleImage {
  const random = Random.from(index);
  const data = Uint8Array.from({ length: 32 * 32 * 3 }, () => random.integer(0, 255));
  return { picture: { data, width: 32, height: 32 }, caption: `image ${index}`, index };
}

describe('similarity to the patch at a point', () => {
  it('is the cosine with the patch of the same image', () => {
    using all = features();
    const before = liveTensors().tensors;
    const { values, side } = similaritiesTo(all, right, false);
    expect(side).toBe(2);
    const expected = [0.6, 1, 0.8, -0.6, 0, 1, Math.SQRT1_2, Math.SQRT1_2];
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
    expect(liveTensors().tensors).toBe(before);
  });

  it('is the cosine with the patch of the first image', () => {
    using all = features();
    const { values } = similaritiesTo(all, right, true);
    const expected = [0.6, 1, 0.8, -0.6, 0.8, 0.6, 1.4 * Math.SQRT1_2, 1.4 * Math.SQRT1_2];
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
  });

  it('is 0 where a patch has no features', () => {
    using none = ops.zeros([1, 2, 2, 3]);
    expect([...similaritiesTo(none, right, false).values]).toEqual([0, 0, 0, 0]);
  });

  it('makes the same sheet every time, and another for another point', async () => {
    const images = [noise(1), noise(2)];
    const before = liveTensors().tensors;
    const draw = (x: number) =>
      drawSimilaritySheet(images, colourEncoder, { points: [{ x, y: 0.5 }, right], across: false, heading: 'Test' });
    const first = await draw(0.5);
    expect(first.equals(await draw(0.5))).toBe(true);
    expect(first.equals(await draw(0.1))).toBe(false);
    expect(liveTensors().tensors).toBe(before);
  });
});
