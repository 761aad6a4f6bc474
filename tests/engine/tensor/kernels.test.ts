import { afterEach, describe, expect, it } from 'vitest';
import { crossEntropy } from '../../../src/methods/capi/cross-entropy.js';
import { chosen, OnlineClustering } from '../../../src/methods/capi/online-clustering.js';
import { StudentHead } from '../../../src/methods/capi/student-head.js';
import { Attention, type AttentionInputs } from '../../../src/nn/attention.js';
import { RmsNorm } from '../../../src/nn/rms-norm.js';
import { hasKernels } from '../../../src/tensor/fused.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { gradients, liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { expectClose } from '../../support/goldens.js';

// Every kernel against the plain operators beside it, values and gradients. Sizes are odd on purpose: rows that no vector
// divides, one row, more queries than a tile holds.
const generator = new Generator(7);
const before = liveTensors().tensors;
afterEach(() => expect(liveTensors().tensors).toBe(before));

const random = (...shape: number[]) => ops.randn(shape, generator, 'float32');

function leaf(tensor: Tensor): Tensor {
  tensor.requiresGrad = true;
  return tensor;
}

/** Values and gradients, for the same gradient of the value, are the same both ways. */
function expectSame(inputs: readonly Tensor[], fused: () => Tensor, plain: () => Tensor, tolerance = 3e-6): void {
  const [actual, expected] = [fused, plain].map((way) => {
    const value = way();
    const weights = ops.cos(ops.mul(ops.detach(value), 3));
    return [value, ...gradients([ops.sum(ops.mul(value, weights))], inputs)] as Tensor[];
  });
  for (const [i, value] of actual!.entries()) {
    expectClose(value, expected![i]!, tolerance, i === 0 ? 'values' : `gradient ${i - 1}`);
  }
}

describe('kernels', () => {
  it.each([
    [3, 5, 37],
    [1, 1, 16],
    [2, 7, 384],
  ])('RMSNorm of %i x %i x %i', (batch, tokens, width) => {
    scope(() => {
      using norm = new RmsNorm(width, 1e-5);
      using unweighted = new RmsNorm(width, 1e-5, false);
      const x = leaf(random(batch, tokens, width));
      ops.uniform_(ops.detach(norm.weight!), 0.5, 2, generator);
      expectSame(
        [x, norm.weight!],
        () => norm.forward(x),
        () => norm.plain(x),
      );
      expectSame(
        [x],
        () => unweighted.forward(x),
        () => unweighted.plain(x),
      );
      const rows = ops.transpose(x, 0, 1);
      expectClose(norm.forward(rows), norm.plain(rows), 3e-6, 'rows that do not lie together');
    });
  });

  describe.each([
    ['rotary positions of each image', 3, 11, 11, 3],
    ['rotary positions that all share', 2, 300, 300, 1],
    ['one image, one query', 1, 1, 17, 1],
    ['no positions', 2, 500, 300, 0],
  ])('attention with %s', (_, batch, queries, keys, tables) => {
    it('is the plain one', () => {
      scope(() => {
        const rope = tables === 0 ? undefined : { maxFrequency: 7, minFrequency: 7e-4 };
        const options = { width: 40, heads: 2, qkvBias: 'none', bias: false, rope, generator } as const;
        using attention = new Attention(options);
        if (attention.rope) attention.rope.freqs.requiresGrad = false;
        const x = leaf(random(batch, queries, 40));
        const coordinates = (tokens: number) =>
          tables === 0 ? undefined : ops.rand([tables, tokens, 2], generator, 'float32');
        const context = queries === keys ? undefined : { tokens_BMD: leaf(random(batch, keys, 40)) };
        const inputs: AttentionInputs = {
          coordinates_BN2: coordinates(queries),
          context: context && { ...context, coordinates_BM2: coordinates(keys) },
        };
        const names = ['q', 'k', 'v'] as const;
        const weights = names.map((name) => attention[`${name}Proj`].weight);
        const plain = () =>
          attention.proj.forward(ops.flatten(attention.plain(attention.heads(x, inputs), inputs), 2, 3));
        expectSame(
          [x, ...(context ? [context.tokens_BMD] : []), ...weights],
          () => attention.forward(x, inputs),
          plain,
          1e-5,
        );
      });
    });
  });

  it.each([
    [5, 3, 21, 40],
    [2, 1, 8, 7],
    [700, 2, 16, 33],
  ])('clustering of %i positions x %i images, width %i, %i prototypes', (positions, batch, width, prototypes) => {
    scope(() => {
      using clustering = new OnlineClustering(
        {
          ...{ width, prototypes, targetTemperature: 0.06, predictionTemperature: 0.12, iterations: 3 },
          balance: 'positionwise',
        },
        generator,
      );
      ops.normal_(ops.detach(clustering.layer.bias), 0, 0.1, generator);
      const features = ops.transpose(random(batch, positions, width), 0, 1);
      const patches = Tensor.from(BigInt64Array.of(0n, BigInt(batch * positions - 1)), [2]);
      const { weight, bias } = clustering.layer;
      const fused = clustering.forwardAt(features, patches, true);
      const plain = clustering.forward(features);
      const rows = chosen(plain.assignments_NBK, patches, true);
      expectClose(fused.assignments_SK, rows.assignments_SK, 1e-5, 'assignments');
      // With two images a position, an image's two likeliest prototypes are often equal but for rounding.
      if (batch > 2) expect(fused.winners_K!.numbers()).toEqual(rows.winners_K!.numbers());
      expect(ops.sum(fused.winners_K!).item()).toBe(positions * batch);
      expectSame(
        [weight, bias],
        () => clustering.forwardAt(features, patches, false).loss,
        () => clustering.forward(features).loss,
        3e-5,
      );
    });
  });

  it.each([
    [13, 20, 45],
    [600, 16, 17],
    [1, 5, 3],
  ])('student’s loss of %i samples, width %i, %i prototypes', (samples, width, prototypes) => {
    scope(() => {
      using head = new StudentHead({ width, prototypes }, generator);
      const x = leaf(random(samples, width));
      const targets = ops.softmax(random(samples, prototypes), -1);
      const { weightG, weightV } = head.lastLayer;
      expectSame(
        [x, weightG, weightV],
        () => head.crossEntropy(x, targets, 0.12),
        () => crossEntropy(head.forward(x), targets, 0.12),
        1e-5,
      );
    });
  });

  it('leave bfloat16 and float64 to the plain operators', () => {
    scope(() => {
      for (const dtype of ['bfloat16', 'float64'] as const) {
        using norm = new RmsNorm(24, 1e-5).to({ dtype });
        using attention = new Attention({ width: 24, heads: 2, qkvBias: 'all', bias: true, generator }).to({ dtype });
        const x = ops.to(random(2, 3, 24), dtype);
        expect(hasKernels(x)).toBe(false);
        const inFloats = attention.forward(norm.forward(x));
        expect(inFloats.dtype).toBe(dtype);
        expectClose(norm.forward(x), norm.plain(x), 0);
      }
    });
  });

  it('refuse what they cannot compute', () => {
    scope(() => {
      const x = random(2, 3, 8);
      expect(() => ops.fusedRmsNorm(x, random(7), 1e-5)).toThrow(/weight of 8 values/);
      expect(() => ops.fusedRmsNorm(ops.to(x, 'float64'), null, 1e-5)).toThrow(/float32/);
      const heads = random(2, 3, 2, 4);
      expect(() => ops.fusedAttention(heads, heads, random(2, 4, 2, 4), null, null, null, null)).toThrow(
        /as many values/,
      );
      const patches = Tensor.from(BigInt64Array.of(6n), [1]);
      const cluster = () => ops.onlineClustering(x, random(5, 8), random(5), patches, 0.06, 0.12, 3, false);
      expect(cluster).toThrow(/indices below 6/);
    });
  });
});

describe('memory of large tensors', () => {
  it('is never shared by two tensors, and is used again', () => {
    const kept = new Map<number, Tensor>();
    const sizes = [20_000, 300_000, 1_000_003, 70_001];
    let made = 0;
    const resident = () => process.memoryUsage.rss();
    let settled = 0;
    for (let round = 0; round < 400; round++) {
      const value = made++;
      kept.set(value, ops.full([sizes[(round * 7) % 4]! + round], value, 'float32').retain());
      if (kept.size > 12) {
        const oldest = [...kept.keys()][(round * 5) % kept.size]!;
        const tensor = kept.get(oldest)!;
        scope(() => expect([ops.amin(tensor, [0]).item(), ops.amax(tensor, [0]).item()]).toEqual([oldest, oldest]));
        tensor.dispose();
        kept.delete(oldest);
      }
      if (round === 100) settled = resident();
    }
    expect(resident() - settled).toBeLessThan(60e6);
    for (const tensor of kept.values()) tensor.dispose();
  });
});
