import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/spec.js';
import { sampleImages } from '../../../src/visualise/sample-images.js';

const whole = { kind: 'resize-centre-crop', resize: 32, size: 32 } as const;

describe('sample images', () => {
  it('are spread over the data set, square, with the names of their classes', async () => {
    const dataset = await openDataset('scenes://?split=test&count=10&size=32');
    const images = await sampleImages(dataset, whole, { count: 3 });
    expect(images.map(({ caption }) => caption)).toEqual(
      [0, 3, 6].map((index) => dataset.classes![dataset.item(index).label!]),
    );
    for (const { picture } of images) expect(picture.data).toHaveLength(32 * 32 * 3);
    expect(images[0]!.picture.data).not.toEqual(images[1]!.picture.data);
    expect(await sampleImages(dataset, whole, { count: 3 })).toEqual(images);
  });

  it('are as many as there are', async () => {
    const dataset = await openDataset('scenes://?split=test&count=2&size=32');
    expect(await sampleImages(dataset, whole, { count: 8 })).toHaveLength(2);
  });
});
