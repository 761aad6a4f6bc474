import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../../src/support/errors.js';
import { Random } from '../../../src/support/random.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { patchColours } from '../../../src/visualise/patch-colours.js';
import { drawPcaSheet, type PcaSheetOptions } from '../../../src/visualise/pca-sheet.js';
import { fitComponents } from '../../../src/visualise/principal-components.js';
import type { SampleImage } from '../../../src/visualise/sample-images.js';
import { colourEncoder } from '../../support/colour-encoder.js';

const options = { count: 3, whiten: true };

/** Noise whose left half is dark and whose right half is light. */
function halves(seed: number): SampleImage {
  const random = Random.from(seed);
  const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => {
    const light = Math.floor(i / 3) % 32 < 16 ? 20 : 200;
    return light + random.integer(0, 20);
  });
  return { picture: { data, width: 32, height: 32 }, caption: `image ${seed}`, index: seed };
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

  it('has one row of images, and for each encoder one or two of colours and one for each channel', async () => {
    const rows = async (images: number, encoders: number, sheet: PcaSheetOptions = {}) => {
      const shown = Array.from({ length: encoders }, (_, i) => ({ name: `encoder ${i}`, encoder: colourEncoder }));
      const samples = Array.from({ length: images }, (_, i) => halves(i + 1));
      const { height } = await sharp(await drawPcaSheet(samples, shown, sheet)).metadata();
      // Up to two images are shown 720 pixels large, whatever their size; each row has its label.
      return Math.floor(height / 750);
    };
    expect([await rows(2, 1), await rows(2, 2)]).toEqual([3, 5]);
    // Components shared by one image would be its own.
    expect([await rows(1, 1), await rows(1, 2)]).toEqual([2, 3]);
    expect(await rows(1, 1, { components: 'shared', channels: 4 })).toBe(6);
    expect(await rows(2, 1, { components: 'alone' })).toBe(2);
  });
});

describe('patch colours', () => {
  it('tells parts of an image apart and gives equal patches of several images one shared colour', () => {
    scope(() => {
      const pixels = Tensor.from(halves(1).picture.data, [1, 32, 32, 3]);
      const image = ops.permute(ops.to(pixels, 'float32'), [0, 3, 1, 2]);
      const features = ops.cat([colourEncoder.embed(image).patches_BYXD, colourEncoder.embed(image).patches_BYXD]);
      const [alone] = patchColours(features, options).colours;
      const red = Array.from({ length: 4 }, (_, columnOfPatch) => alone!.data[columnOfPatch * 3]!);
      expect(Math.abs(red[0]! - red[3]!)).toBeGreaterThan(60);
      expect(Math.abs(red[0]! - red[1]!)).toBeLessThan(20);
      const shared = patchColours(features, fitComponents(ops.flatten(features, 0, 2), options)).colours;
      expect(shared[0]!.data).toEqual(shared[1]!.data);
    });
  });

  it.each([true, false])('is grey, not undefined, for features that are all the same, whitened %s', (whiten) => {
    using features = ops.ones([2, 3, 3, 5]);
    const { colours } = patchColours(features, { count: 3, whiten });
    for (const { data } of colours) expect([...new Set(data)]).toEqual([127]);
  });

  it('refuses what is not patch features', () => {
    using flat = ops.ones([4, 5]);
    expect(() => patchColours(flat, options)).toThrow(ShapeError);
    using narrow = ops.ones([1, 2, 2, 2]);
    expect(() => patchColours(narrow, options)).toThrow('at least 3');
  });
});
