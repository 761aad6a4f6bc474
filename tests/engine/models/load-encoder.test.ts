import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { configYaml } from '../../../src/config/config-yaml.js';
import { Capi } from '../../../src/methods/capi/capi.js';
import { type CapiConfig, capiRecipe } from '../../../src/methods/capi/capi-config.js';
import type { ImageEncoder } from '../../../src/models/encoder.js';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import { loadWeights } from '../../../src/models/load-weights.js';
import { writeTorchFile } from '../../../src/models/torch-file/write-torch-file.js';
import { RunFolder } from '../../../src/runs/run-folder.js';
import { CheckpointError, UsageError } from '../../../src/support/errors.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { writeSafetensors } from '../../../src/tensor/safetensors.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { saveCheckpoint } from '../../../src/train/checkpoint.js';
import { expectClose, goldenJson, goldensFolder, goldenTensors } from '../../support/goldens.js';
import { publishedParts } from '../../support/published-network.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const published = join(goldensFolder, 'capi_tiny.pth');
const tensors = goldenTensors('capi_tiny');
const golden = goldenJson<{
  model: {
    patch_size: number;
    n_registers: number;
    transformers_kwargs: { embed_dim: number; block_kwargs: { attn_kwargs: { num_heads: number } } };
    encoder_kwargs: { depth: number };
    decoder_kwargs: { depth: number };
  };
  num_clusters: number;
}>('capi_tiny');
afterAll(() => {
  for (const tensor of tensors.values()) tensor.dispose();
});

const config: CapiConfig = capiRecipe.parse({
  method: 'capi',
  model: { width: 32, depth: 2, heads: 2, patchSize: 8, registers: 4, predictor: { depth: 1 } },
  data: { imageSize: 32 },
  capi: { prototypes: 16 },
});

/** A run with two checkpoints whose teacher is twice its student. */
async function makeRun(): Promise<{ run: RunFolder; capi: Capi }> {
  const run = RunFolder.create(join(temporaryFolder(), 'run'));
  writeFileSync(run.config, configYaml(config, new Map()));
  const capi = new Capi(config);
  await saveCheckpoint(run, capi, { step: 1, samples: 4, data: '', machine: {} });
  for (const [, parameter] of capi.teacher.backbone.parameters()) ops.mul_(parameter, 2);
  await saveCheckpoint(run, capi, { step: 2, samples: 8, data: '', machine: {} });
  return { run, capi };
}

function expectSame(actual: ImageEncoder, expected: ImageEncoder): void {
  scope(() => {
    const image = Tensor.from(
      Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => Math.sin(i)),
      [1, 3, 32, 32],
    );
    const [a, e] = [actual.embed(image), expected.embed(image)];
    expectClose(a.global_BD, e.global_BD, 1e-6);
    expectClose(a.patches_BYXD, e.patches_BYXD, 1e-6);
  });
}

describe('a published file', () => {
  it.each(['square', 'wide', 'large'])('embeds %s images as the published code', async (size) => {
    const encoder = await loadEncoder(published);
    scope(() => {
      const embedding = encoder.embed(tensors.get(`forward.${size}.image`)!);
      expectClose(embedding.global_BD, tensors.get(`forward.${size}.global`)!, 1e-4, 'global');
      expectClose(embedding.registers_BRD, tensors.get(`forward.${size}.registers`)!, 1e-4, 'registers');
      expectClose(embedding.patches_BYXD, tensors.get(`forward.${size}.patches`)!, 1e-4, 'patches');
    });
    encoder.dispose();
  });

  it('may lack "backbone." and the head, hold bf16, or be safetensors', async () => {
    const folder = temporaryFolder();
    using weights = await loadWeights(published, ['teacher']);
    const bare = new Map([...weights.parts.get('teacher')!].filter(([name]) => name.startsWith('backbone.')));
    const names = new Map(
      [...bare].map(([name, tensor]) => [
        name
          .replace(/^backbone\.(encoder\.(?=registers|patch_embed)|predictor\.(?=mask_token))?/, '')
          .replace(/^predictor/, 'decoder'),
        ops.to(tensor, 'bfloat16'),
      ]),
    );
    expect(names.has('mask_token') && names.has('decoder.blocks.0.residual1.norm.weight')).toBe(true);
    writeTorchFile(join(folder, 'bare.pth'), names);
    writeSafetensors(join(folder, 'bare.safetensors'), names);
    const image = tensors.get('forward.square.image')!;
    for (const file of ['bare.pth', 'bare.safetensors']) {
      const encoder = await loadEncoder(join(folder, file));
      scope(() => expectClose(encoder.embed(image).global_BD, tensors.get('forward.square.global')!, 3e-2));
      encoder.dispose();
    }
  });

  it('starts a run of its sizes, student and teacher', async () => {
    using weights = await loadWeights(published, ['student', 'teacher', 'clustering']);
    expect([...weights.parts.keys()]).toEqual(['student', 'teacher']);
    if (weights.encoder.kind !== 'encoder-predictor') throw new Error(weights.encoder.kind);
    const { encoder, predictor } = weights.encoder;
    const { embed_dim: width, block_kwargs } = golden.model.transformers_kwargs;
    const { num_heads: heads } = block_kwargs.attn_kwargs;
    expect(encoder).toMatchObject({
      width,
      heads,
      patchSize: golden.model.patch_size,
      registers: golden.model.n_registers,
    });
    expect([encoder.depth, predictor.depth]).toEqual([
      golden.model.encoder_kwargs.depth,
      golden.model.decoder_kwargs.depth,
    ]);
    const model = { ...encoder, predictor: { depth: predictor.depth } };
    const data = { imageSize: 4 * encoder.patchSize };
    const capi = new Capi(capiRecipe.parse({ method: 'capi', model, data, capi: { prototypes: golden.num_clusters } }));
    capi.warmStart(weights.parts);
    for (const part of [publishedParts(capi.student), publishedParts(capi.teacher)]) {
      expect(part.head.lastLayer.weightV.data()).toEqual(tensors.get('init.student.head.last_layer.weight_v')!.data());
      expect(part.backbone.encoder.registers!.data()).toEqual(tensors.get('init.student.backbone.registers')!.data());
    }
    capi.dispose();
  });

  it('of another model lists what does not fit', async () => {
    const path = join(temporaryFolder(), 'other.pth');
    using weights = await loadWeights(published, ['student']);
    const part = new Map<string, Tensor>(weights.parts.get('student')!);
    part.delete('backbone.encoder.blocks.1.residual2.fn.fc1.weight');
    part.set('cls_token', part.get('backbone.encoder.registers')!);
    part.set('backbone.encoder.blocks.0.residual1.norm.weight', part.get('backbone.encoder.registers')!);
    writeTorchFile(path, part);
    const error = await loadEncoder(path).catch((reason: unknown) => reason);
    if (weights.encoder.kind !== 'encoder-predictor') throw new Error(weights.encoder.kind);
    const { registers, width } = weights.encoder.encoder;
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error).toMatchObject({
      message: expect.stringContaining('missing: backbone.encoder.blocks.1.residual2.fn.fc1.weight'),
    });
    expect(error).toMatchObject({ message: expect.stringContaining('not part of it: backbone.cls_token') });
    expect(error).toMatchObject({
      message: expect.stringContaining(`expected shape [${width}], received [1,${registers},${width}]`),
    });
  });
});

describe('a run', () => {
  it('gives the teacher of its latest checkpoint, or what is asked for', async () => {
    const { run, capi } = await makeRun();
    const before = liveTensors().tensors;
    const teacher = await loadEncoder(run.path);
    const student = await loadEncoder(run.path, { weights: 'student' });
    const earlier = await loadEncoder(run.checkpoint(1));
    expectSame(teacher, capi.teacher.backbone);
    expectSame(student, capi.student.backbone);
    expectSame(earlier, capi.student.backbone);
    expect(() => expectSame(teacher, student)).toThrow();
    for (const encoder of [teacher, student, earlier]) encoder.dispose();
    expect(liveTensors().tensors).toBe(before);
    capi.dispose();
  });

  it('without checkpoints, or with a manifest that describes nothing known, is refused', async () => {
    const { run, capi } = await makeRun();
    capi.dispose();
    const manifest = join(run.checkpoint(2), 'manifest.json');
    const json = JSON.parse(readFileSync(manifest, 'utf8')) as {
      encoder: { kind: string; encoder: Record<string, unknown> };
    };
    json.encoder.encoder.width = undefined;
    writeFileSync(manifest, JSON.stringify(json));
    await expect(loadEncoder(run.path)).rejects.toThrow(/encoder-predictor.*width/);
    json.encoder.kind = 'other';
    writeFileSync(manifest, JSON.stringify(json));
    await expect(loadEncoder(run.path)).rejects.toThrow('received "other"');

    const empty = join(temporaryFolder(), 'empty');
    mkdirSync(empty);
    await expect(loadEncoder(empty)).rejects.toThrow(UsageError);
    writeFileSync(join(empty, 'config.yaml'), '');
    await expect(loadEncoder(empty)).rejects.toThrow('no checkpoint yet');
    await expect(loadEncoder(`${empty}y`)).rejects.toThrow('did you mean empty?');
  });
});

describe('random:', () => {
  it('is an untrained encoder of a preset, the same every time', async () => {
    const encoders = [await loadEncoder('random:vit-ti:16'), await loadEncoder('random:vit-ti:16')];
    expect(encoders.map(({ patchSize, width }) => [patchSize, width])).toEqual([
      [16, 192],
      [16, 192],
    ]);
    expectSame(encoders[0]!, encoders[1]!);
    for (const encoder of encoders) encoder.dispose();
  });

  it('has the sizes of a run or a file, and other weights', async () => {
    const { run, capi } = await makeRun();
    const encoder = await loadEncoder(`random:${run.path}`);
    expect([encoder.patchSize, encoder.width]).toEqual([8, 32]);
    expect(() => expectSame(encoder, capi.student.backbone)).toThrow();
    encoder.dispose();
    capi.dispose();
    const other = await loadEncoder(`random:${published}`);
    expect([other.patchSize, other.width]).toEqual([
      golden.model.patch_size,
      golden.model.transformers_kwargs.embed_dim,
    ]);
    other.dispose();
  });

  it('refuses presets that do not exist, with the nearest one', async () => {
    await expect(loadEncoder('random:vit-t')).rejects.toThrow('did you mean vit-ti?');
    await expect(loadEncoder('random:vit-ti:0')).rejects.toThrow('Expected a patch size');
    await expect(loadEncoder('random:')).rejects.toThrow(UsageError);
  });
});
