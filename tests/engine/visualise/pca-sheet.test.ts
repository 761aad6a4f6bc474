import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { ImageEncoder } from '../../../src/models/encoder.js';
import { ShapeError } from '../../../src/support/errors.js';
import { Random } from '../../../src/support/random.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { patchColours } from '../../../src/visualise/patch-colours.js';
import { drawPcaSheet } from '../../../src/visualise/pca-sheet.js';
import type { SampleImage } from '../../../src/visualise/sample-images.js';

/** An encoder whose patch features are the colours of the patch. */
const colourEncoder: ImageEncoder = {
  patchSize: 8,
  width: 192,
  depth: 0,
  embed: (images_B3YX) =>
    scope(() => {
      const [batch, , height, width] = images_B3YX.shape as [number, number, number, number];
      const cut = ops.reshape(images_B3YX, [batch, 3, height / 8, 8, width / 8, 8]);
      const patches = ops.flatten(ops.permute(cut, [0, 2, 4, 1, 3, 5]), 3, 5);
      return {
        global_BD: ops.zeros([batch, 1]),
        registers_BRD: ops.zeros([batch, 0, 1]),
        patches_BYXD: ops.clone(patches),
      };
    }),
  dispose: () => {},
};

/** Noise whose left half is dark and whose right half is light. */
function halves(seed: number): SampleImage {
  const random = Random.from(seed);
  const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => {
    const light = Math.floor(i / 3) % 32 < 16 ? 20 : 200;
    return light + random.integer(0, 20);
  });
  return { picture: { data, width: 32, height: 32 }, caption: `image ${seed}` };
}

describe('the sheet of patch colours', () => {
  it('is the same every time and leaves no tensors behind', async () => {
    const images = [halves(1), halves(2)];
    const before = liveTensors().tensors;
    const first = await drawPcaSheet(images, [{ name: 'test', encoder: colourEncoder }]);
    expect(liveTensors().tensors).toBe(before);
    expect(await drawPcaSheet(images, [{ name: 'test', encoder: colourEncoder }])).toEqual(first);
    expect(await drawPcaSheet([halves(1), halves(3)], [{ name: 'test', encoder: colourEncoder }])).not.toEqual(first);
  });

  it('has one row of images and two for each encoder', async () => {
    const height = async (encoders: number) => {
      const shown = Array.from({ length: encoders }, (_, i) => ({ name: `encoder ${i}`, encoder: colourEncoder }));
      return (await sharp(await drawPcaSheet([halves(1)], shown)).metadata()).height;
    };
    const [none, one, two] = [await height(0), await height(1), await height(2)];
    expect(two - one).toBe(one - none);
    // 32 pixels are shown six times as large; each row has its label.
    expect(one - none).toBeGreaterThan(2 * 192);
  });
});

describe('patch colours', () => {
  it('tells parts of an image apart and gives equal patches of several images one shared colour', () => {
    const features = scope(() => {
      const pixels = Tensor.from(halves(1).picture.data, [1, 32, 32, 3]);
      const image = ops.permute(ops.to(pixels, 'float32'), [0, 3, 1, 2]);
      return ops.cat([colourEncoder.embed(image).patches_BYXD, colourEncoder.embed(image).patches_BYXD]);
    });
    const { alone, together } = patchColours(features);
    const red = Array.from({ length: 4 }, (_, columnOfPatch) => alone[0]!.data[columnOfPatch * 3]!);
    expect(Math.abs(red[0]! - red[3]!)).toBeGreaterThan(60);
    expect(Math.abs(red[0]! - red[1]!)).toBeLessThan(20);
    expect(together[0]!.data).toEqual(together[1]!.data);
    features.dispose();
  });

  it('is grey, not undefined, for features that are all the same', () => {
    using features = ops.ones([2, 3, 3, 5]);
    const { alone, together } = patchColours(features);
    for (const { data } of [...alone, ...together]) expect([...new Set(data)]).toEqual([127]);
  });

  it('refuses what is not patch features', () => {
    using flat = ops.ones([4, 5]);
    expect(() => patchColours(flat)).toThrow(ShapeError);
    using narrow = ops.ones([1, 2, 2, 2]);
    expect(() => patchColours(narrow)).toThrow('at least 3');
  });
});
