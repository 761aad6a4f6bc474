import { afterEach, describe, expect, it } from 'vitest';
import { engine } from '../../../src/engine/addon.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope, type Tensor } from '../../../src/tensor/tensor.js';
import { expectClose, relativeError } from '../../support/goldens.js';

// Products of the engine against the same in float64, and against libtorch's BLAS, which must not be more exact. Where the
// processor has no matrix unit both are the same.
const generator = new Generator(11);
const before = liveTensors().tensors;
afterEach(() => expect(liveTensors().tensors).toBe(before));

const random = (...shape: number[]) => ops.randn(shape, generator, 'float32');
const turned = (rows: number, columns: number) => ops.transpose(random(columns, rows), 0, 1);
const exact = (left: Tensor, right: Tensor) => ops.matmul(ops.to(left, 'float64'), ops.to(right, 'float64'));

/** Rows, inner places and columns: whole tiles, blocks of several, and edges of every kind. */
const sizes = [
  [256, 384, 512],
  [97, 800, 1101],
  [385, 33, 700],
  [112, 1000, 96],
] as const;

describe('matrix products', () => {
  it.each(sizes)('%i x %i by %i: as exact as BLAS, however the matrices lie', (rows, inner, columns) => {
    scope(() => {
      const lefts = [random(rows, inner), turned(rows, inner), ops.narrow(random(rows, inner + 5), 1, 3, inner)];
      const rights = [
        random(inner, columns),
        turned(inner, columns),
        ops.narrow(turned(inner + 2, columns), 0, 1, inner),
      ];
      for (const left of lefts) {
        for (const right of rights) {
          const expected = exact(left, right);
          const error = relativeError(ops.to(ops.matmul(left, right), 'float64'), expected);
          const errorOfBlas = relativeError(ops.to(ops.blasProduct(left, right), 'float64'), expected);
          expect(error).toBeLessThanOrEqual(Math.max(errorOfBlas, 1e-7));
        }
      }
    });
  });

  it.each(sizes)('%i x %i by %i, added to a row and to a matrix', (rows, inner, columns) => {
    scope(() => {
      const [left, right] = [random(rows, inner), turned(inner, columns)];
      for (const addend of [random(columns), random(rows, columns), turned(rows, columns), random(1)]) {
        const expected = ops.to(ops.add(exact(left, right), addend), 'float32');
        expectClose(ops.addmm(addend, left, right), expected, 4e-7, `added to ${addend.shape}`);
      }
      const sums = random(rows, columns);
      const expected = ops.to(ops.add(exact(left, right), sums), 'float32');
      ops.addmm_(sums, left, right);
      expectClose(sums, expected, 4e-7, 'in place');
    });
  });

  it('does not depend on the number of threads', () => {
    scope(() => {
      const [left, right] = [random(700, 500), turned(500, 300)];
      const threads = engine().threads();
      const products = [1, 2, 3, 7].map((count) => {
        engine().setThreads(count);
        return ops.matmul(left, right);
      });
      engine().setThreads(threads);
      for (const product of products) expect(ops.all(ops.eq(product, products[0]!)).item()).toBe(1);
    });
  });

  it('keeps the exactness of small and of large numbers, and passes on what is not finite', () => {
    scope(() => {
      for (const scale of [1e-15, 1e15]) {
        const [left, right] = [ops.mul(random(256, 384), scale), random(384, 256)];
        const product = ops.to(ops.div(ops.matmul(left, right), scale), 'float64');
        const expected = ops.div(exact(left, right), scale);
        expect(relativeError(product, expected)).toBeLessThan(5e-7);
      }
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const left = random(256, 384);
        ops.add_(ops.narrow(ops.narrow(left, 0, 7, 1), 1, 9, 1), value);
        const finite = ops.isfinite(ops.matmul(left, random(384, 256)));
        expect(ops.sum(ops.to(finite, 'float32')).item()).toBe(255 * 256);
      }
    });
  });
});
