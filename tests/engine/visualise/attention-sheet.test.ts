import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/spec.js';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import { Attention } from '../../../src/nn/attention.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, noGrad, scope } from '../../../src/tensor/tensor.js';
import { attentionMaps, drawAttentionSheet } from '../../../src/visualise/attention-sheet.js';
import { sampleImages } from '../../../src/visualise/sample-images.js';
import { colourEncoder } from '../../support/colour-encoder.js';

const dataset = await openDataset('scenes://?split=test&count=2&size=48');
const images = await sampleImages(dataset, { kind: 'resize', size: 48 }, { count: 2 });

describe('attention weights', () => {
  it.each([false, true])('mix the values to what attention gives, with a bias: %s', (biased) => {
    scope(() =>
      noGrad(() => {
        const generator = new Generator(1);
        const attention = new Attention({ width: 12, heads: 3, qkvBias: 'all', bias: true, generator });
        const x_BND = ops.randn([2, 5, 12], generator);
        const bias_1ANM = biased ? ops.randn([1, 3, 5, 5], generator) : undefined;
        const weights_BANM = attention.weights(x_BND, { bias_1ANM }, 5);
        const v_BANF = ops.transpose(ops.unflatten(attention.vProj.forward(x_BND), 2, [3, 4]), 1, 2);
        const mixed_BND = ops.flatten(ops.transpose(ops.matmul(weights_BANM, v_BANF), 1, 2), 2, 3);
        const apart = ops.sub(attention.proj.forward(mixed_BND), attention.forward(x_BND, { bias_1ANM }));
        expect(ops.norm(apart).item()).toBeLessThan(1e-5);
        const first = ops.sub(attention.weights(x_BND, { bias_1ANM }, 2), ops.narrow(weights_BANM, 2, 0, 2));
        expect(ops.norm(first).item()).toBeLessThan(1e-6);
        generator.dispose();
        attention.dispose();
      }),
    );
  });
});

describe('attention of an encoder', () => {
  it('is that of every register and head over the patches, and makes the same sheet every time', async () => {
    const encoder = await loadEncoder('random:vit-s:16');
    const before = liveTensors().tensors;
    try {
      const maps = attentionMaps(images[0]!.picture, encoder, { block: 11 });
      expect(maps.map(({ name }) => name)).toEqual([
        'all registers',
        ...Array.from({ length: 6 }, (_, i) => `head ${i + 1}`),
        ...Array.from({ length: 16 }, (_, i) => `register ${i + 1}`),
      ]);
      const sums = maps.map(({ shares }) => shares.reduce((sum, share) => sum + share, 0));
      for (const { shares } of maps) expect(shares.length).toBe(9);
      // The rest of the attention goes to registers.
      for (const sum of sums) expect(sum > 0 && sum < 1).toBe(true);
      // Over all heads and registers the two ways to average are one.
      const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(mean(sums.slice(1, 7))).toBeCloseTo(sums[0]!, 5);
      expect(mean(sums.slice(7))).toBeCloseTo(sums[0]!, 5);
      const draw = () => drawAttentionSheet(images, encoder, { block: 11, heading: 'Test' });
      expect((await draw()).equals(await draw())).toBe(true);
      expect(liveTensors().tensors).toBe(before);
    } finally {
      encoder.dispose();
    }
  });

  it('is refused where no token looks at patches', () => {
    expect(() => attentionMaps(images[0]!.picture, colourEncoder, { block: 0 })).toThrow('class token or registers');
  });
});
