import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { MaskedBatch } from '../../../src/masks/masked-batch.js';
import { drawMaskSheet, maskColours, maskPicture } from '../../../src/visualise/mask-sheet.js';

const white = (side: number) => ({ data: new Uint8Array(side * side * 3).fill(255), width: side, height: side });

describe('a masked picture', () => {
  // Two images of 2 x 3 patches. Second image: patches 1, 2 and 5 hidden, 5 to predict.
  const batch: MaskedBatch = {
    masks: Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1]),
    visible: Int32Array.from([1, 2, 3, 4, 5, 6, 9, 10]),
    predict: Int32Array.from([0, 6 + 5]),
    visiblePerImage: 4,
    predictPerImage: 1,
  };

  it('shows visible patches, greys hidden ones and marks those to predict', () => {
    const picture = { data: Uint8Array.from({ length: 6 * 4 * 3 }, (_, i) => i), width: 6, height: 4 };
    const { data } = maskPicture(picture, batch, 1, { rows: 2, columns: 3 });
    const pixel = (x: number, y: number) => [...data.subarray((y * 6 + x) * 3, (y * 6 + x) * 3 + 3)];
    expect(pixel(0, 0)).toEqual([0, 1, 2]);
    expect(pixel(1, 1)).toEqual([21, 22, 23]);
    for (const place of [pixel(2, 0), pixel(3, 1), pixel(4, 0), pixel(5, 1)])
      expect(place).toEqual([...maskColours.hidden]);
    for (const place of [pixel(4, 2), pixel(5, 3)]) expect(place).toEqual([...maskColours.predicted]);
    expect(pixel(3, 3)).toEqual([63, 64, 65]);
    expect(picture.data[6]).toBe(6);
  });
});

describe('the sheet of masks', () => {
  const options = {
    mask: { kind: 'uniform', rows: 4, columns: 4, roll: true },
    maskRatio: 0.5,
    predictionSubsampling: 0.25,
    draws: 2,
    seed: 7,
  } as const;
  const images = [{ picture: white(60), caption: 'one', index: 0 }];

  it('hides and marks as many patches as the recipe says in every draw', async () => {
    const { data, info } = await sharp(await drawMaskSheet(images, options))
      .raw()
      .toBuffer({ resolveWithObject: true });
    const count = (colour: readonly number[], top: number, height: number) => {
      let pixels = 0;
      for (let i = top * info.width; i < (top + height) * info.width; i++) {
        if (colour.every((level, channel) => data[i * info.channels + channel] === level)) pixels++;
      }
      return pixels;
    };
    // One image is shown with 720 pixels a side, so that a patch has 180 x 180; the marks of the key lie above row 60.
    const patch = 180 * 180;
    const below = (colour: readonly number[]) => count(colour, 60, info.height - 60);
    expect(below(maskColours.predicted)).toBe(2 * 2 * patch);
    expect(below(maskColours.hidden)).toBe(2 * 6 * patch);
  });

  it('depends on the seed only', async () => {
    const first = await drawMaskSheet(images, options);
    expect(await drawMaskSheet(images, options)).toEqual(first);
    expect(await drawMaskSheet(images, { ...options, seed: 8 })).not.toEqual(first);
  });
});
