import type { Product } from '../../methods/capi/step-products.js';
import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

type Multiply = (left: Tensor, right: Tensor) => Tensor;

/** GFLOP/s of a product of two 1024 x 1024 float32 matrices: the best of several rounds. */
export function matrixProductPeak(): number {
  const side = 1024;
  const shape = { rows: side, inner: side, columns: side, batch: 1, transposed: 'none' } as const;
  return (2 * side ** 3) / (productSeconds(shape, 30) * 1e9);
}

/** libtorch's own products, where the engine may have faster ones. */
export const blas: Multiply = (left, right) =>
  left.shape.length === 2 ? ops.blasProduct(left, right) : ops.matmul(left, right);

/** The least seconds that a float32 product takes on the processor, of several rounds. */
export function productSeconds(
  product: Omit<Product, 'times'>,
  rounds: number,
  multiply: Multiply = ops.matmul,
): number {
  const { rows, inner, columns, batch, transposed } = product;
  using generator = new Generator(0);
  return scope(() => {
    const matrix = (height: number, width: number, turned: boolean) => {
      const many = batch === 1 ? [] : [batch];
      const made = ops.randn([...many, ...(turned ? [width, height] : [height, width])], generator, 'float32');
      return turned ? ops.transpose(made, -2, -1) : made;
    };
    const left = matrix(rows, inner, transposed === 'left');
    const right = matrix(inner, columns, transposed === 'right');
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const started = performance.now();
      multiply(left, right).dispose();
      best = Math.min(best, performance.now() - started);
    }
    return best / 1000;
  });
}
