import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope } from '../../tensor/tensor.js';

/** GFLOP/s of a product of two 1024 x 1024 float32 matrices: the best of several rounds. */
export function matrixProductPeak(): number {
  const side = 1024;
  using generator = new Generator(0);
  return scope(() => {
    const [a, b] = [ops.randn([side, side], generator, 'float32'), ops.randn([side, side], generator, 'float32')];
    let best = 0;
    for (let round = 0; round < 30; round++) {
      const started = performance.now();
      ops.matmul(a, b).dispose();
      best = Math.max(best, (2 * side ** 3) / ((performance.now() - started) * 1e6));
    }
    return best;
  });
}
