import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/spec.js';
import type { ImageEncoder } from '../../../src/models/encoder.js';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope } from '../../../src/tensor/tensor.js';
import { datasetComponents } from '../../../src/visualise/dataset-components.js';
import { patchFeatures } from '../../../src/visualise/embed-pictures.js';
import { disposeComponents, fitComponents, principalScores } from '../../../src/visualise/principal-components.js';
import { sampleImages } from '../../../src/visualise/sample-images.js';
import { colourEncoder } from '../../support/colour-encoder.js';

const dataset = await openDataset('scenes://?split=test&count=17&size=96');
const view = { kind: 'resize', size: 96 } as const;
const pictures = (await sampleImages(dataset, view, { count: 3 })).map(({ picture }) => picture);

/** The encoder that takes tiles of 40 pixels only, and counts how often. */
function small(): ImageEncoder & { calls: number } {
  return {
    ...colourEncoder,
    imageSize: 40,
    calls: 0,
    embed(images_B3YX) {
      this.calls++;
      expect(images_B3YX.shape.slice(2)).toEqual([40, 40]);
      return colourEncoder.embed(images_B3YX);
    },
  };
}

describe('patch features of pictures', () => {
  it('are those of the whole picture, also in tiles where a patch depends on its pixels only', () => {
    const before = liveTensors().tensors;
    scope(() => {
      const whole = patchFeatures(pictures, colourEncoder);
      expect(whole.shape).toEqual([3, 12, 12, 192]);
      for (const tile of [8, 24, 40, 88, 96, 4000].filter((side) => side % 8 === 0)) {
        const apart = ops.sub(patchFeatures(pictures, colourEncoder, { tile }), whole);
        expect(ops.amax(ops.mul(apart, apart), [0, 1, 2, 3], false).item(), `tiles of ${tile}`).toBeLessThan(1e-10);
      }
    });
    expect(liveTensors().tensors).toBe(before);
  });

  it('come in tiles by themselves where the encoder takes one size only', () => {
    const encoder = small();
    patchFeatures(pictures, encoder).dispose();
    // 12 patches in tiles of 5 that overlap by half or more: 5 along each axis.
    expect(encoder.calls).toBe(25);
    expect(() => patchFeatures(pictures, encoder, { tile: 48 })).toThrow('Expected tiles of 40 pixels');
    expect(() => patchFeatures(pictures, { ...encoder, imageSize: 104 })).toThrow('at least 104 pixels');
  });

  it('differ in tiles where patches see each other, and join without a seam', async () => {
    const encoder = await loadEncoder('random:vit-s:8');
    try {
      scope(() => {
        const one = pictures.slice(0, 1);
        const whole = patchFeatures(one, encoder);
        const tiled = patchFeatures(one, encoder, { tile: 48 });
        const cosine = ops.sumDim(
          ops.mul(ops.div(whole, ops.norm(whole, 2, [-1], true)), ops.div(tiled, ops.norm(tiled, 2, [-1], true))),
          [-1],
        );
        expect(ops.amin(cosine, [0, 1, 2], false).item()).toBeLessThan(0.9999);
        expect(ops.mean(cosine).item()).toBeGreaterThan(0.7);
      });
    } finally {
      encoder.dispose();
    }
  });

  it('refuses sizes that are no multiple of the patch size', () => {
    expect(() => patchFeatures(pictures, { ...colourEncoder, patchSize: 14 })).toThrow('a multiple of 14 pixels');
    expect(() => patchFeatures(pictures, colourEncoder, { tile: 42 })).toThrow('received 42');
  });
});

describe('components of a data set', () => {
  it('are those of all its patches, and leave nothing behind', async () => {
    const before = liveTensors().tensors;
    const components = { count: 5, whiten: true };
    const done: number[] = [];
    const onProgress = (images: number) => done.push(images);
    const options = { dataset, view, encoder: colourEncoder, components, onProgress };
    const streamed = await datasetComponents({ ...options, images: 1000 });
    expect(done).toEqual([16, 17, 33, 34]);
    const all = (await sampleImages(dataset, view, { count: 17 })).map(({ picture }) => picture);
    scope(() => {
      const features = ops.flatten(patchFeatures(all, colourEncoder), 0, 2);
      const expected = principalScores(features, fitComponents(features, components));
      const apart = ops.sub(principalScores(features, streamed), expected);
      expect(ops.amax(ops.mul(apart, apart), [0, 1], false).item()).toBeLessThan(1e-12);
    });
    disposeComponents(streamed);
    expect(liveTensors().tensors).toBe(before);
  });
});
