import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import { loadWeights } from '../../../src/models/load-weights.js';
import { readTorchFile } from '../../../src/models/torch-file/read-torch-file.js';
import { flattenState } from '../../../src/models/torch-file/torch-value.js';
import { writeTorchFile } from '../../../src/models/torch-file/write-torch-file.js';
import { CheckpointError, ShapeError, UsageError } from '../../../src/support/errors.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { readSafetensors, writeSafetensors } from '../../../src/tensor/safetensors.js';
import { liveTensors, scope, type Tensor } from '../../../src/tensor/tensor.js';
import { expectClose } from '../../support/goldens.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

// Made by make_encoders.py beside them, which also computed the features, with the published code.
const folder = fileURLToPath(new URL('../../fixtures/encoders', import.meta.url));
const expected = readSafetensors(join(folder, 'expected.safetensors'));
afterAll(() => {
  for (const tensor of expected.values()) tensor.dispose();
});
const at = (file: string) => join(folder, file);

/** A file with some of another one's weights changed. */
async function altered(file: string, change: (state: Map<string, Tensor>) => void): Promise<string> {
  using source = await readTorchFile(at(file));
  const state = flattenState(source.value);
  change(state);
  const path = join(temporaryFolder(), 'altered.pth');
  writeTorchFile(path, state);
  return path;
}

describe.each([
  ['aim.pth?heads=2', 'aim'],
  ['beit.pth', 'beit'],
  ['d2v2refined.th', 'd2v2refined'],
  ['dino.pth?heads=2', 'dino'],
  ['dino-training.pth?heads=2', 'dino'],
  ['dinov2.pth?heads=2', 'dinov2'],
  ['dinov2-registers.pth?heads=2', 'dinov2-registers'],
  ['dinov2-swiglu.pth?heads=2', 'dinov2-swiglu'],
  ['ibot.pth?heads=2', 'ibot'],
  ['ijepa.pth.tar?heads=2', 'ijepa'],
  ['mae.pth?heads=2', 'mae'],
  ['mae-legacy.pth?heads=2', 'mae'],
  ['timm.safetensors?heads=2', 'timm'],
  ['timm-registers.safetensors?heads=2', 'timm-registers'],
])('%s', (file, name) => {
  const sets = ['stored', 'larger', 'wide'].filter((images) => expected.has(`${name}.${images}.global`));

  it(`gives the published features of images ${sets.join(', ')}`, async () => {
    const before = liveTensors().tensors;
    const encoder = await loadEncoder(at(file));
    for (const images of sets) {
      scope(() => {
        const { global_BD, registers_BRD, patches_BYXD } = encoder.embed(expected.get(`images.${images}`)!);
        const published = (kind: string) => expected.get(`${name}.${images}.${kind}`);
        expectClose(global_BD, published('global')!, 1e-4, `${images} global`);
        expectClose(patches_BYXD, published('patches')!, 1e-4, `${images} patches`);
        // timm's adapter does not give its registers.
        if (published('registers')) expectClose(registers_BRD, published('registers')!, 1e-4, `${images} registers`);
      });
    }
    encoder.dispose();
    expect(liveTensors().tensors).toBe(before);
  });
});

it('takes the student of a training checkpoint where it is asked for', async () => {
  for (const [file, name] of [
    ['dino-training.pth', 'dino-student'],
    ['ijepa.pth.tar', 'ijepa-context'],
  ]) {
    const encoder = await loadEncoder(`${at(file!)}?heads=2`, { weights: 'student' });
    scope(() => {
      const { global_BD } = encoder.embed(expected.get('images.stored')!);
      expectClose(global_BD, expected.get(`${name}.stored.global`)!, 1e-4);
    });
    encoder.dispose();
  }
});

it('tells the one size of images that relative positions take, and refuses others', async () => {
  const encoder = await loadEncoder(at('beit.pth'));
  expect(encoder.imageSize).toBe(16);
  scope(() => expect(() => encoder.embed(expected.get('images.larger')!)).toThrow(ShapeError));
  encoder.dispose();
});

it('random: has the sizes of a file', async () => {
  const [random, trained] = [await loadEncoder(`random:${at('beit.pth')}`), await loadEncoder(at('beit.pth'))];
  scope(() => {
    expect([random.patchSize, random.width, random.depth]).toEqual([trained.patchSize, trained.width, trained.depth]);
    const [a, b] = [random, trained].map((encoder) => encoder.embed(expected.get('images.stored')!).global_BD);
    expect(() => expectClose(a!, b!, 0.1)).toThrow();
  });
  random.dispose();
  trained.dispose();
  const hinted = await loadEncoder(`random:${at('dino.pth')}?heads=2`);
  expect(hinted.width).toBe(16);
  hinted.dispose();
});

describe('what is said behind a file', () => {
  it('is needed where the weights leave heads open', async () => {
    await expect(loadEncoder(at('dino.pth'))).rejects.toThrow(UsageError);
    await expect(loadEncoder(at('dino.pth'))).rejects.toMatchObject({ hint: expect.stringContaining('?heads=12') });
  });

  it('is checked', async () => {
    await expect(loadEncoder(`${at('dino.pth')}?head=2`)).rejects.toThrow('did you mean heads?');
    await expect(loadEncoder(`${at('dino.pth')}?heads=two`)).rejects.toThrow('number of attention heads');
    await expect(loadEncoder(`${at('dino.pth')}?heads=3`)).rejects.toThrow('multiple of 3');
    await expect(loadEncoder(`${at('dino.pth')}?heads=2&family=dyno`)).rejects.toThrow('did you mean dino?');
    await expect(loadEncoder(`${at('dino.pth')}no?heads=2`)).rejects.toThrow('found nothing');
  });

  it('chooses another family, or a state dict', async () => {
    const open = async (hints: string) => {
      const encoder = await loadEncoder(at(hints));
      const pooled = scope(() => encoder.embed(expected.get('images.larger')!).global_BD);
      encoder.dispose();
      return pooled;
    };
    const [dino, timm] = [await open('dino.pth?heads=2'), await open('dino.pth?heads=2&family=timm')];
    // Only the way that positions are resized differs.
    expectClose(timm, dino, 0.1);
    expect(() => expectClose(timm, dino, 1e-3)).toThrow();
    const student = await open('dino-training.pth?heads=2&key=student');
    expectClose(student, expected.get('dino-student.larger.global')!, 1e-4);
    await expect(open('dino-training.pth?heads=2&key=student.model')).rejects.toThrow('no "model" among');
    for (const tensor of [dino, timm, student]) tensor.dispose();
  });
});

describe('a file that does not fit', () => {
  it('lists what is missing, left over or of another shape, in its own names', async () => {
    const path = await altered('dinov2.pth', (state) => {
      state.delete('blocks.1.attn.qkv.bias');
      state.delete('norm.weight');
      state.set('blocks.0.attn.q_norm.weight', state.get('cls_token')!);
      state.set('blocks.0.mlp.fc2.bias', state.get('cls_token')!);
      state.set('blocks.1.norm1.bias', state.get('pos_embed')!);
    });
    const before = liveTensors().tensors;
    const error = await loadEncoder(`${path}?heads=2`).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CheckpointError);
    const { message } = error as CheckpointError;
    expect(
      message
        .split('\n')
        .slice(1)
        .map((line) => line.trim()),
    ).toEqual([
      'not part of it: blocks.0.attn.q_norm.weight',
      'blocks.1.norm1.bias: expected shape [16], received [1,17,16]',
      'missing: blocks.1.attn.qkv.bias',
      'missing: norm.weight',
    ]);
    expect(liveTensors().tensors).toBe(before);
  });

  it('and is of no known family says which are known', async () => {
    const path = await altered('dino.pth', (state) => {
      for (const name of ['cls_token', 'pos_embed']) state.delete(name);
    });
    await expect(loadEncoder(path)).rejects.toThrow(/of a family of .*mae.*found names such as patch_embed/);
    await expect(loadEncoder(`${path}?family=dino&heads=2`)).rejects.toThrow(
      /missing: cls_token\n.*missing: pos_embed/,
    );
  });

  it('cannot claim more than it holds', async () => {
    const many = await altered('dino.pth', (state) => {
      state.set('blocks.999999999999.norm1.bias', state.get('norm.bias')!);
    });
    await expect(loadEncoder(`${many}?heads=2`)).rejects.toThrow('and ');
    const wide = await altered('dino.pth', (state) => {
      state.set('patch_embed.proj.weight', ops.expand(state.get('norm.bias')!, [1, 1, 1, 16]));
    });
    await expect(loadEncoder(`${wide}?heads=1`)).rejects.toThrow(CheckpointError);
    const ragged = await altered('dino.pth', (state) => {
      state.set('pos_embed', ops.narrow(state.get('pos_embed')!, 1, 0, 12));
    });
    await expect(loadEncoder(`${ragged}?heads=2`)).rejects.toThrow('square grid');
  });
});

it('reads bfloat16 and safetensors alike, and a state that is one tensor is no encoder', async () => {
  using weights = await readTorchFile(at('dino.pth'));
  const path = join(temporaryFolder(), 'dino.safetensors');
  scope(() => {
    const state = flattenState(weights.value);
    writeSafetensors(path, new Map([...state].map(([name, tensor]) => [name, ops.to(tensor, 'bfloat16')])));
  });
  const encoder = await loadEncoder(`${path}?heads=2`);
  scope(() => {
    const { global_BD } = encoder.embed(expected.get('images.stored')!);
    expectClose(global_BD, expected.get('dino.stored.global')!, 3e-2);
  });
  encoder.dispose();
  expect(readFileSync(path).length).toBeGreaterThan(0);
  await expect(loadWeights(at('expected.safetensors'), ['teacher'])).rejects.toThrow(CheckpointError);
});
