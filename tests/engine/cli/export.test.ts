import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { exportModel } from '../../../src/cli/actions/export.js';
import { writeOnnx } from '../../../src/export/onnx-model.js';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import { ShapeError, UsageError } from '../../../src/support/errors.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { expectClose } from '../../support/goldens.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const fixture = (name: string) =>
  `${fileURLToPath(new URL('../../fixtures/encoders', import.meta.url))}/${name}?heads=2`;
const defaults = { weights: 'teacher', size: undefined, dynamic: false } as const;

describe('tessera export', () => {
  it('writes a folder for transformers.js', async () => {
    const before = liveTensors().tensors;
    const model = fixture('dinov2-registers.pth');
    const out = join(temporaryFolder(), 'exported');
    const { json } = await exportModel({ ...defaults, model, out, size: 32, dynamic: true });
    const file = join(out, 'onnx', 'model.onnx');
    expect(json).toMatchObject({ out, file, size: 32, dynamic: true, bytes: readFileSync(file).length });
    const read = (name: string) => JSON.parse(readFileSync(join(out, name), 'utf8')) as unknown;
    expect(read('config.json')).toMatchObject({
      model_type: 'vit',
      hidden_size: 16,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      patch_size: 4,
      image_size: 32,
      'transformers.js_config': { dtype: 'fp32' },
    });
    expect(read('preprocessor_config.json')).toMatchObject({
      size: { shortest_edge: 37 },
      crop_size: { height: 32, width: 32 },
      image_mean: [0.485, 0.456, 0.406],
      image_std: [0.229, 0.224, 0.225],
    });
    const session = await ort.InferenceSession.create(file);
    expect(session.inputNames).toEqual(['pixel_values']);
    const shape = [1, 3, 20, 24];
    const pixels = Float32Array.from({ length: 3 * 20 * 24 }, (_, i) => Math.cos(i));
    const { pooler_output: global } = await session.run({ pixel_values: new ort.Tensor('float32', pixels, shape) });
    const encoder = await loadEncoder(model);
    scope(() => {
      const { global_BD } = encoder.embed(Tensor.from(pixels, shape));
      expectClose(Tensor.from(global!.data as Float32Array, global!.dims), global_BD, 1e-4);
    });
    encoder.dispose();
    expect(liveTensors().tensors).toBe(before);
  });

  it('writes a file for images of the size that the encoder takes', async () => {
    const out = join(temporaryFolder(), 'beit.onnx');
    const { json } = await exportModel({ ...defaults, model: fixture('beit.pth'), out });
    expect(json).toMatchObject({ file: out, size: 16 });
    const session = await ort.InferenceSession.create(out);
    expect(session.outputNames).toContain('class');
  });

  it('says what is wrong', async () => {
    const out = join(temporaryFolder(), 'file.onnx');
    const run = (options: object) => exportModel({ ...defaults, model: fixture('beit.pth'), out, ...options });
    await expect(run({ dynamic: true })).rejects.toThrow(/16 pixels only/);
    await expect(run({ size: 24 })).rejects.toThrow(ShapeError);
    await expect(run({ size: 15 })).rejects.toThrow(/multiple of the patch size 4/);
    await expect(run({ model: 'baseline:colour' })).rejects.toThrow(UsageError);
    await expect(run({ out: temporaryFolder() })).rejects.toThrow(/exists already/);
    await expect(run({ out: join(out, 'deeper.onnx') })).rejects.toThrow(/cannot write/);
    expect(existsSync(out)).toBe(false);
  });
});

it('what takes 2 GiB or more is refused before anything is written', () => {
  const path = join(temporaryFolder(), 'large.onnx');
  const large = { name: 'large', type: 'float32', shape: [2 ** 29], data: () => expect.unreachable() } as const;
  const model = { nodes: [], tensors: [large], inputs: [], outputs: [], metadata: {} };
  expect(() => writeOnnx(path, model)).toThrow(/less than 2 GiB/);
  expect(existsSync(path)).toBe(false);
});
