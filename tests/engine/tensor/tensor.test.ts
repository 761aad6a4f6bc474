import { describe, expect, it } from 'vitest';
import { engine } from '../../../src/engine/addon.js';
import { DisposedError, EngineError, ShapeError } from '../../../src/support/errors.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { gradients, liveTensors, noGrad, scope, Tensor } from '../../../src/tensor/tensor.js';

const vector = (...values: number[]) => Tensor.from(Float32Array.from(values), [values.length]);

describe('tensors', () => {
  it('round-trips every dtype', () => {
    for (const [data, dtype] of [
      [Float32Array.of(1.5, -2), 'float32'],
      [Float64Array.of(Math.PI, 1e300), 'float64'],
      [BigInt64Array.of(-5n, 2n ** 40n), 'int64'],
      [Int32Array.of(-7, 8), 'int32'],
      [Uint8Array.of(0, 255), 'uint8'],
      [Uint16Array.of(0x3f80, 0xc000), 'bfloat16'],
    ] as const) {
      using tensor = Tensor.from(data, [2], dtype);
      expect(tensor.dtype).toBe(dtype);
      expect(tensor.data()).toEqual(data);
    }
  });

  it('reads memory that is shared with other threads', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    shared.set([1, 2, 3, 4]);
    using tensor = Tensor.from(shared, [2, 2]);
    expect(tensor.numbers()).toEqual([1, 2, 3, 4]);
  });

  it('differentiates', () => {
    scope(() => {
      const x = vector(1, 2, 3);
      x.requiresGrad = true;
      ops.sum(ops.mul(x, x)).backward();
      expect(x.grad!.numbers()).toEqual([2, 4, 6]);
      const [dx, unused] = gradients([ops.sum(ops.exp(x))], [x, requiring(vector(1))]);
      expect(dx!.numbers()[1]).toBeCloseTo(Math.exp(2), 5);
      expect(unused).toBeNull();
    });
  });

  it('records nothing without gradients, and restores the mode after an error', () => {
    scope(() => {
      const x = requiring(vector(1));
      expect(noGrad(() => ops.mul(x, 2)).requiresGrad).toBe(false);
      expect(() =>
        noGrad(() => {
          throw new Error('inside');
        }),
      ).toThrow('inside');
      expect(ops.mul(x, 2).requiresGrad).toBe(true);
    });
  });

  it('names the operator, the rule and the shapes in errors, and lives on', () => {
    using a = ops.zeros([2, 3]);
    expect(() => ops.matmul(a, a)).toThrow(EngineError);
    expect(() => ops.matmul(a, a)).toThrow(/aten::matmul: .*\(2x3 and 2x3\).*received Float \[2, 3\], Float \[2, 3\]/);
    expect(() => a.item()).toThrow(ShapeError);
    expect(() => Tensor.from(Float32Array.of(1, 2, 3), [2, 2])).toThrow(/expected 16 bytes.*received 12/);
    expect(() => ops.transpose(a, 0, 'x' as unknown as number)).toThrow(/expected an integer, received string/);
    expect(ops.sum(a).item()).toBe(0);
  });

  it('turns an exception thrown inside a backward pass into an error', () => {
    scope(() => {
      const x = requiring(vector(1, 2));
      expect(() => ops.mul(x, 2).backward()).toThrow(/grad can be implicitly created only for scalar/);
    });
  });
});

describe('tensor life', () => {
  it('refuses a tensor that was freed, also when its slot is used again', () => {
    const freed = vector(1);
    freed.dispose();
    freed.dispose();
    using reuse = vector(2);
    expect(reuse.numbers()).toEqual([2]);
    expect(() => freed.numbers()).toThrow(DisposedError);
    expect(() => ops.add(reuse, freed)).toThrow(DisposedError);
    expect(String(freed)).toBe('Tensor(freed)');
  });

  it('frees what a scope made, and keeps what it returns, wherever that lies', () => {
    const before = liveTensors().tensors;
    const kept = scope(() => {
      const temporary = vector(1, 2);
      return { sum: ops.sum(temporary), list: [ops.mul(temporary, 2)], map: new Map([['x', ops.neg(temporary)]]) };
    });
    expect(liveTensors().tensors).toBe(before + 3);
    expect(kept.list[0]!.numbers()).toEqual([2, 4]);
    for (const tensor of [kept.sum, ...kept.list, ...kept.map.values()]) tensor.dispose();
    expect(liveTensors().tensors).toBe(before);
  });

  it('hands results through nested scopes and frees them with the outermost', () => {
    const before = liveTensors().tensors;
    let inner: Tensor | undefined;
    scope(() => {
      inner = scope(() => scope(() => vector(3)));
      expect(inner.numbers()).toEqual([3]);
    });
    expect(inner!.disposed).toBe(true);
    expect(liveTensors().tensors).toBe(before);
  });

  it('frees everything when the body throws, and keeps what was retained', () => {
    const before = liveTensors().tensors;
    let retained: Tensor | undefined;
    expect(() =>
      scope(() => {
        vector(1);
        retained = vector(2).retain();
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(liveTensors().tensors).toBe(before + 1);
    retained!.dispose();
  });

  it('refuses an asynchronous scope', () => {
    expect(() => scope(async () => 1)).toThrow(/must not be asynchronous/);
    expect(engine().counters().scopes).toBe(0);
  });

  it('leaks nothing in ten thousand steps', () => {
    using x = requiring(vector(1, 2, 3));
    const step = () =>
      scope(() => {
        ops.sum(ops.exp(ops.mul(x, x))).backward();
        x.grad = null;
      });
    for (let i = 0; i < 1000; i++) step();
    const before = { ...liveTensors(), resident: process.memoryUsage.rss() };
    for (let i = 0; i < 10_000; i++) step();
    expect(liveTensors().tensors).toBe(before.tensors);
    expect(liveTensors().bytes).toBe(before.bytes);
    expect(process.memoryUsage.rss() - before.resident).toBeLessThan(20 * 2 ** 20);
  });
});

describe('generators', () => {
  it('repeat from a seed and from a saved state', () => {
    scope(() => {
      using a = new Generator(7);
      using b = new Generator(7);
      const draw = (generator: Generator) => ops.rand([4], generator).numbers();
      expect(draw(a)).toEqual(draw(b));
      const state = a.state();
      const next = draw(a);
      b.restore(state);
      expect(draw(b)).toEqual(next);
      expect(draw(b)).not.toEqual(next);
      // A state that is a part of other memory, as in a file.
      b.restore(ops.narrow(ops.cat([state, state]), 0, state.length, state.length));
      expect(draw(b)).toEqual(next);
    });
  });

  it('draw what PyTorch draws', () => {
    scope(() => {
      using generator = new Generator(0);
      // torch.randperm(10, generator=torch.Generator().manual_seed(0))
      expect(ops.randperm(10, generator, 'int64').numbers()).toEqual([4, 1, 7, 5, 3, 9, 0, 8, 6, 2]);
    });
  });

  it('refuse use after they were freed', () => {
    const generator = new Generator(0);
    generator.dispose();
    expect(() => generator.state()).toThrow(DisposedError);
  });
});

function requiring(tensor: Tensor): Tensor {
  tensor.requiresGrad = true;
  return tensor;
}
