import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { convert } from '../../../src/cli/actions/convert.js';
import { parseRecipe } from '../../../src/config/recipe.js';
import { resolveConfig } from '../../../src/config/resolve-config.js';
import { runProgram } from '../../../src/engine/run-program.js';
import { Capi } from '../../../src/methods/capi/capi.js';
import { capiRecipe, networkOptions } from '../../../src/methods/capi/capi-config.js';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import { loadWeights } from '../../../src/models/load-weights.js';
import { openWeightsFile, withoutPrefixes } from '../../../src/models/published/weights-file.js';
import { readTorchFile } from '../../../src/models/torch-file/read-torch-file.js';
import { flattenState } from '../../../src/models/torch-file/torch-value.js';
import { writeTorchFile } from '../../../src/models/torch-file/write-torch-file.js';
import { RunFolder } from '../../../src/runs/run-folder.js';
import { UsageError } from '../../../src/support/errors.js';
import { readSafetensors } from '../../../src/tensor/safetensors.js';
import { scope, Tensor } from '../../../src/tensor/tensor.js';
import { saveCheckpoint } from '../../../src/train/checkpoint.js';
import { expectClose, goldenJson, goldensFolder, goldenTensors } from '../../support/goldens.js';
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
  expect(json).toEqual({ in: published, out: run, readAs: run, layout: 'capi', tensors: state.size, parameters });

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
  expect(capi.student.head!.lastLayer.weightV.data()).toEqual(
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

// Ours holds the keys about encoders of the whole set, which has the short name.
const set = ['refiner_tiny_encoders', 'refiner_tiny'].find((file) => existsSync(join(goldensFolder, `${file}.json`)));
if (set === undefined) console.warn(`skipped: files of MIM-Refiner, no refiner_tiny.json in ${goldensFolder}`);
const heads = set && `heads=${goldenJson<{ config: { heads: number } }>(set).config.heads}`;

const encoders = fileURLToPath(new URL('../../fixtures/encoders', import.meta.url));

type Case = [folder: string, name: string, hints: string, layout: string, container: string | undefined];
const cases: Case[] = [
  ...(heads === undefined
    ? []
    : ([
        [goldensFolder, 'maerefined_tiny.th', heads, 'refined', 'state_dict'],
        [goldensFolder, 'mae_tiny.pth', heads, 'mae', 'model'],
        [goldensFolder, 'data2vec2_tiny.pt', heads, 'data2vec2', 'model'],
      ] satisfies Case[])),
  [encoders, 'd2v2refined.th', 'heads=2', 'refined-post-norm', 'state_dict'],
  [encoders, 'beit.pth', '', 'beit', 'model'],
  [encoders, 'aim.pth', 'heads=2', 'aim', undefined],
  [encoders, 'ijepa.pth.tar', 'heads=2', 'ijepa', undefined],
  [encoders, 'dino.pth', 'heads=2', 'dino', undefined],
  [encoders, 'dinov2.pth', 'heads=2', 'dinov2', undefined],
  [encoders, 'dinov2-swiglu.pth', 'heads=2', 'dinov2-swiglu', undefined],
  [encoders, 'dinov2-registers.pth', 'heads=2', 'dinov2-registers', undefined],
  [encoders, 'timm-registers.safetensors', 'heads=2', 'timm', undefined],
];

it.each(cases)('writes %s/%s?%s in the layout %s again', async (folder, name, hints, layout, container) => {
  const input = `${join(folder, name)}?${hints}`;
  const output = join(temporaryFolder(), 'out.pth');
  const { json } = await convert({ input, output, weights: 'teacher', layout });
  expect(json).toMatchObject({ layout });
  const file = await openWeightsFile(join(folder, name));
  using written = await readTorchFile(output);
  if (container !== undefined) expect([...(written.value as Map<string, unknown>).keys()]).toEqual([container]);

  // The same names and values; the class token and its position are only fixed as a sum.
  const [theirs, ours] = [withoutPrefixes(file.state('teacher')), flattenState(written.value)];
  const sums = ['cls_token', 'pos_embed'];
  for (const [key, tensor] of ours) {
    expect(tensor.shape.join(), key).toBe(theirs.get(key)?.shape.join());
    if (!sums.includes(key)) expect(tensor.data(), key).toEqual(theirs.get(key)!.data());
  }
  const again = (json as { readAs: string }).readAs;
  const [before, after] = [await loadEncoder(input), await loadEncoder(again)];
  scope(() => {
    const side = 4 * before.patchSize;
    const image = Tensor.from(
      Float32Array.from({ length: 3 * side ** 2 }, (_, i) => Math.sin(i)),
      [1, 3, side, side],
    );
    const [a, b] = [before.embed(image), after.embed(image)];
    expectClose(b.global_BD, a.global_BD, 1e-6);
    expectClose(b.patches_BYXD, a.patches_BYXD, 1e-6);
  });
  for (const owned of [before, after, ...file.tensors]) owned.dispose();
});

it('refuses a layout that cannot hold the encoder, and a run folder for one that no method trains', async () => {
  const input = `${join(encoders, 'dinov2.pth')}?heads=2`;
  const output = join(temporaryFolder(), 'out');
  const to = (name: string, layout?: string) => convert({ input, output: output + name, weights: 'teacher', layout });
  await expect(to('.pth', 'mae')).rejects.toThrow('(dinov2), received mae');
  await expect(to('.pth', 'capi')).rejects.toThrow('received capi');
  await expect(to('')).rejects.toThrow('Expected a file');
  await expect(
    convert({ input: published, output: `${output}.pth`, weights: 'teacher', layout: 'mae' }),
  ).rejects.toThrow('layout capi');
  expect(existsSync(`${output}.pth`)).toBe(false);
});

it('writes the encoder of a run whose head the published layout cannot hold, without the head', async () => {
  const folder = temporaryFolder();
  const model = { width: 16, depth: 1, heads: 2, patchSize: 8, registers: 4, predictor: { depth: 1 } };
  const capi = { prototypes: 8, head: 'mlp', mlp: { hidden: 8, bottleneck: 4 } };
  const method = new Capi(capiRecipe.parse({ method: 'capi', model, data: { imageSize: 16 }, capi }));
  const run = RunFolder.create(join(folder, 'run'));
  await saveCheckpoint(run, method, { step: 0, samples: 0, data: 'none', machine: {} });
  writeFileSync(run.config, 'method: capi\n');
  const file = join(folder, 'a.pth');
  expect((await convert({ input: run.path, output: file, weights: 'student' })).json).toMatchObject({ layout: 'capi' });
  const [ours, theirs] = [await loadEncoder(run.path, { weights: 'student' }), await loadEncoder(file)];
  scope(() => {
    const image = Tensor.from(
      Float32Array.from({ length: 3 * 256 }, (_, i) => Math.sin(i)),
      [1, 3, 16, 16],
    );
    expectClose(theirs.embed(image).global_BD, ours.embed(image).global_BD, 0);
  });
  for (const each of [ours, theirs, method]) each.dispose();
});

it('is loaded by the published hubconf, where TESSERA_PEER_CAPI names a checkout of it', async () => {
  const { TESSERA_PEER_CAPI: checkout, TESSERA_PEER_PYTHON: python } = process.env;
  if (!checkout || !python) return console.log('skipped: TESSERA_PEER_CAPI and TESSERA_PEER_PYTHON are not set');
  const folder = temporaryFolder();
  const [run, file, images] = ['run', 'file.pth', 'images.pth'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await convert({ input: published, output: run, weights: 'teacher' });
  await convert({ input: run, output: file, weights: 'teacher' });
  const shape = [2, 3, 48, 64];
  const pixels = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 0.37));
  scope(() => writeTorchFile(images, new Map([['images', Tensor.from(pixels, shape)]])));
  const program = `
import json, sys
sys.path.insert(0, sys.argv[1])
import torch
from hubconf import __model_loader__
model = __model_loader__(pretrained_weights=sys.argv[2], device="cpu", config_override={"model": json.loads(sys.argv[4])})
given = {k.removeprefix("backbone."): v for k, v in torch.load(sys.argv[2], weights_only=True).items() if k.startswith("backbone.")}
own = model.state_dict()
same = sorted(own) == sorted(given) and all(torch.equal(own[name], given[name]) for name in own)
with torch.no_grad():
    features = model(torch.load(sys.argv[3], weights_only=True)["images"])
print(json.dumps([same, *(f.flatten().tolist() for f in features)]))`;
  const { model } = goldenJson('capi_tiny') as { model: object };
  const { code, output } = await runProgram(python, ['-c', program, checkout, file, images, JSON.stringify(model)]);
  expect(code, output).toBe(0);
  const [same, ...features] = JSON.parse(output.trim().split('\n').at(-1)!) as [boolean, number[], number[], number[]];
  expect(same).toBe(true);
  const encoder = await loadEncoder(run);
  scope(() => {
    const { global_BD, registers_BRD, patches_BYXD } = encoder.embed(Tensor.from(pixels, shape));
    for (const [index, tensor] of [global_BD, registers_BRD, patches_BYXD].entries())
      expectClose(tensor, Tensor.from(Float32Array.from(features[index]!), tensor.shape), 1e-4);
  });
  encoder.dispose();
});
