import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { convert } from '../../../src/cli/actions/convert.js';
import { parseRecipe } from '../../../src/config/recipe.js';
import { resolveConfig } from '../../../src/config/resolve-config.js';
import { Capi } from '../../../src/methods/capi/capi.js';
import { capiRecipe, networkOptions } from '../../../src/methods/capi/capi-config.js';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import { loadWeights } from '../../../src/models/load-weights.js';
import { readTorchFile } from '../../../src/models/torch-file/read-torch-file.js';
import { flattenState } from '../../../src/models/torch-file/torch-value.js';
import { UsageError } from '../../../src/support/errors.js';
import { readSafetensors } from '../../../src/tensor/safetensors.js';
import { scope, type Tensor } from '../../../src/tensor/tensor.js';
import { expectClose, goldensFolder, goldenTensors } from '../../support/goldens.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const published = join(goldensFolder, 'capi_tiny.pth');

function expectEqual(actual: ReadonlyMap<string, Tensor>, expected: ReadonlyMap<string, Tensor>): void {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, tensor] of expected) {
    expect(actual.get(name)!.shape, name).toEqual(tensor.shape);
    expect(Buffer.from(actual.get(name)!.data().buffer).equals(Buffer.from(tensor.data().buffer)), name).toBe(true);
  }
}

it('goes from the published file to a run, to a file, to safetensors and back, keys in their order', async () => {
  const folder = temporaryFolder();
  const [run, file, tensors, back] = ['run', 'a.pth', 'b.safetensors', 'c.pt'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  const { json } = await convert({ input: published, output: run, weights: 'teacher' });
  using original = await readTorchFile(published);
  const state = flattenState(original.value);
  const parameters = [...state.values()].reduce((sum, tensor) => sum + tensor.length, 0);
  expect(json).toEqual({ in: published, out: run, tensors: state.size, parameters });

  await convert({ input: run, output: file, weights: 'student' });
  await convert({ input: file, output: tensors, weights: 'teacher' });
  await convert({ input: tensors, output: back, weights: 'teacher' });
  expectEqual(readSafetensors(tensors), state);
  for (const path of [file, back]) {
    using read = await readTorchFile(path);
    expectEqual(flattenState(read.value), state);
  }
});

it('makes a run that is loaded, and that a run of its own recipe starts from', async () => {
  const path = join(temporaryFolder(), 'run');
  await convert({ input: published, output: path, weights: 'teacher' });
  const encoder = await loadEncoder(path);
  const golden = goldenTensors('capi_tiny');
  scope(() =>
    expectClose(encoder.embed(golden.get('forward.wide.image')!).global_BD, golden.get('forward.wide.global')!, 1e-4),
  );
  encoder.dispose();

  const { config } = resolveConfig(
    capiRecipe,
    parseRecipe(readFileSync(join(path, 'config.yaml'), 'utf8'), 'config.yaml'),
    [],
  );
  using weights = await loadWeights(path, ['student', 'teacher', 'clustering']);
  expect({ kind: 'encoder-predictor', ...networkOptions(config) }).toEqual(weights.encoder);
  const capi = new Capi(config);
  capi.warmStart(weights.parts);
  expect(capi.student.head.lastLayer.weightV.data()).toEqual(
    golden.get('init.student.head.last_layer.weight_v')!.data(),
  );
  capi.dispose();
});

it('never overwrites, and leaves nothing behind when it fails', async () => {
  const folder = temporaryFolder();
  const output = join(folder, 'out.pth');
  await convert({ input: published, output, weights: 'teacher' });
  const before = readFileSync(output);
  await expect(convert({ input: published, output, weights: 'teacher' })).rejects.toThrow(UsageError);
  expect(readFileSync(output).equals(before)).toBe(true);
  const missing = join(folder, 'no', 'such', 'out.pth');
  await expect(convert({ input: published, output: missing, weights: 'teacher' })).rejects.toThrow('does not exist');
  expect(existsSync(missing)).toBe(false);
});
