import { describe, expect, it } from 'vitest';
import { patchify } from '../../../src/models/patches.js';
import { VisionTransformer } from '../../../src/models/vit.js';
import { vitLayout } from '../../../src/models/vit-layout.js';
import { type VitInput, vitOptions } from '../../../src/models/vit-options.js';
import { ShapeError } from '../../../src/support/errors.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { expectClose } from '../../support/goldens.js';

const sizes = { patchSize: 4, width: 16, depth: 3, heads: 2 };
const table = { kind: 'table', rows: 3, columns: 2 } as const;
const kinds: Record<string, VitInput> = {
  plain: { ...sizes, positions: table },
  'post-norm': { ...sizes, positions: table, placement: 'post', embedNorm: true, finalNorm: 'none' },
  'no class token': { ...sizes, positions: { ...table, learned: true }, classToken: false },
  registers: { ...sizes, positions: { ...table, learned: true, offset: 0.1 }, registers: 3, layerScale: 0.1 },
  swiglu: { ...sizes, positions: { ...table, antialias: true }, activation: 'swiglu', mlpWidth: 24 },
  relative: { ...sizes, positions: { kind: 'relative', rows: 3, columns: 2 }, qkvBias: 'query-value', layerScale: 0.1 },
  computed: {
    ...sizes,
    positions: { kind: 'computed' },
    classToken: false,
    patchNorm: true,
    finalNorm: 'none',
    outputBlock: 1,
    qkvBias: 'none',
    biases: false,
  },
  rope: {
    ...sizes,
    positions: { kind: 'rope' },
    classToken: false,
    registers: 4,
    norm: { kind: 'rms', eps: 1e-5 },
    finalNorm: 'plain',
    qkvBias: 'none',
    biases: false,
  },
};

function make(options: VitInput): VisionTransformer {
  using generator = new Generator(1);
  return new VisionTransformer(vitOptions(options), generator);
}

/** Two images of 3 x 2 patches. */
const images = (rows = 3, columns = 2) =>
  Tensor.from(
    Float32Array.from({ length: 2 * 3 * 16 * rows * columns }, (_, i) => Math.sin(i * 0.37)),
    [2, 3, 4 * rows, 4 * columns],
  );

describe.each(Object.entries(kinds))('a vision transformer, %s', (kind, options) => {
  it('has the parameters that its layout tells, in their order', () => {
    using vit = make(options);
    const shapes = [...vit.state()].map(([name, tensor]) => [name, tensor.shape]);
    expect(shapes).toEqual([...vitLayout(vit.options)]);
  });

  it('embeds images, with every block, without leaving tensors behind', () => {
    using vit = make(options);
    const before = liveTensors().tensors;
    scope(() => {
      const { global_BD, class_BD, registers_BRD, patches_BYXD, blocks } = vit.embed(images(), { blocks: [0, 2] });
      expect([global_BD.shape, registers_BRD.shape, patches_BYXD.shape]).toEqual([
        [2, 16],
        [2, options.registers ?? 0, 16],
        [2, 3, 2, 16],
      ]);
      const mean_BD = ops.meanDim(patches_BYXD, [1, 2]);
      if (options.classToken === false) expectClose(global_BD, mean_BD, 1e-6);
      else expect(global_BD.data()).toEqual(class_BD!.data());
      expect([...blocks!.keys()]).toEqual([0, 2]);
      expect(blocks!.get(2)!.patches_BYXD.shape).toEqual([2, 3, 2, 16]);
    });
    expect(liveTensors().tensors).toBe(before);
  });

  it('gives every parameter that it uses a gradient', () => {
    using vit = make(options);
    scope(() => {
      const { tokens_BTD } = vit.forward(patchify(images(), 4), { blocks: [] });
      ops.sum(ops.mul(tokens_BTD, ops.sin(ops.mul(tokens_BTD, 3)))).backward();
    });
    const idle = [...vit.parameters()].filter(([, parameter]) => parameter.grad === null).map(([name]) => name);
    const unused = /^blocks\.2\./;
    expect(idle.filter((name) => options.outputBlock === undefined || !unused.test(name))).toEqual([]);
    for (const [, parameter] of vit.parameters()) parameter.grad = null;
  });

  it('takes another grid, unless positions are relative', () => {
    using vit = make(options);
    scope(() => {
      const embed = () => vit.embed(images(2, 5)).patches_BYXD.shape;
      if (kind === 'relative') expect(embed).toThrow(ShapeError);
      else expect(embed()).toEqual([2, 2, 5, 16]);
    });
  });
});

describe('drop path that grows', () => {
  it('drops nothing in the first block and as told in the last', () => {
    using vit = make({ ...kinds.plain!, dropPath: { rate: 0.5, kind: 'efficient', ramp: true } });
    using still = make(kinds.plain!);
    using generator = new Generator(3);
    scope(() => {
      const patches = patchify(images(), 4);
      const [dropped, whole] = [
        vit.forward(patches, { dropPath: generator, blocks: [0, 2] }),
        still.forward(patches, { blocks: [0, 2] }),
      ];
      expectClose(dropped.blocks.get(0)!, whole.blocks.get(0)!, 1e-6);
      expect(() => expectClose(dropped.blocks.get(2)!, whole.blocks.get(2)!, 1e-3)).toThrow();
    });
  });
});

describe('options', () => {
  it('that do not fit each other are refused', () => {
    expect(() => vitOptions({ ...kinds.plain!, heads: 3 })).toThrow('multiple of 3');
    expect(() => vitOptions({ ...kinds.plain!, width: 6, heads: 1 })).toThrow('multiple of 4 for sines');
    expect(() => vitOptions({ ...kinds.rope!, width: 20 })).toThrow('multiple of 8');
    expect(() => vitOptions({ ...kinds.computed!, outputBlock: 3 })).toThrow('below the depth 3');
  });
});
