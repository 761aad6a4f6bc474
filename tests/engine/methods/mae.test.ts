import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Mae, type MaeBatch } from '../../../src/methods/mae/mae.js';
import { maeRecipe } from '../../../src/methods/mae/mae-config.js';
import { reconstruct } from '../../../src/methods/mae/reconstruct.js';
import { IMAGE_MEAN as MEAN, patchify, IMAGE_STD as STD } from '../../../src/models/patches.js';
import { type NameMap, renamed } from '../../../src/models/published/name-map.js';
import { Random } from '../../../src/support/random.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { readSafetensors } from '../../../src/tensor/safetensors.js';
import { liveTensors, scope, Tensor } from '../../../src/tensor/tensor.js';
import { trainStep } from '../../../src/train/train-step.js';
import { expectClose, withPrefix } from '../../support/goldens.js';

interface Fixture {
  size: number;
  patch: number;
  width: number;
  depth: number;
  heads: number;
  decoder_width: number;
  decoder_depth: number;
  decoder_heads: number;
  ratio: number;
  loss: number;
}

const fixture = (file: string) => fileURLToPath(new URL(`../../fixtures/mae/${file}`, import.meta.url));

/** Names of a block's weights in the published code, and ours. */
const blocks = (theirs: string, ours: string): NameMap => ({
  [`${theirs}.#.norm1.*`]: `${ours}.#.residual1.norm.*`,
  [`${theirs}.#.attn.qkv.*`]: `${ours}.#.residual1.fn.{q,k,v}_proj.*`,
  [`${theirs}.#.attn.proj.*`]: `${ours}.#.residual1.fn.proj.*`,
  [`${theirs}.#.norm2.*`]: `${ours}.#.residual2.norm.*`,
  [`${theirs}.#.mlp.*`]: `${ours}.#.residual2.fn.*`,
});
const names: NameMap = {
  cls_token: 'backbone.class_token',
  'patch_embed.proj.*': 'backbone.patch_embed.*',
  ...blocks('blocks', 'backbone.blocks'),
  'norm.*': 'backbone.norm.*',
  mask_token: 'decoder.mask_token',
  'decoder_embed.*': 'decoder.embed.*',
  ...blocks('decoder_blocks', 'decoder.blocks'),
  'decoder_norm.*': 'decoder.norm.*',
  'decoder_pred.*': 'decoder.prediction.*',
};

describe('a step of MAE against plain PyTorch', () => {
  const golden = readSafetensors(fixture('step.safetensors'));
  const sizes = JSON.parse(readFileSync(fixture('step.json'), 'utf8')) as Fixture;
  const config = maeRecipe.parse({
    method: 'mae',
    model: {
      ...{ width: sizes.width, depth: sizes.depth, heads: sizes.heads, patchSize: sizes.patch },
      decoder: { width: sizes.decoder_width, depth: sizes.decoder_depth, heads: sizes.decoder_heads },
    },
    data: { imageSize: sizes.size },
    mask: { ratio: sizes.ratio },
  });
  const mae = new Mae(config);
  const weights = renamed(withPrefix(golden, 'weights.'), names);
  mae.warmStart(new Map([['student', weights.state]]));
  const masks = [...golden.get('masked')!.numbers().entries()];
  const indices = (wanted: number) => {
    const chosen = masks.filter(([, masked]) => masked === wanted).map(([patch]) => BigInt(patch));
    return Tensor.from(BigInt64Array.from(chosen), [chosen.length]);
  };
  const batch: MaeBatch = { images_B3YX: golden.get('images')!, visible: indices(0), masked: indices(1) };

  it('names every weight', () => {
    expect(weights.leftOver).toEqual([]);
    const positions = ['backbone.positions.table', 'decoder.positions.table'];
    expect([...weights.state.keys(), ...positions].sort()).toEqual([...mae.student.state().keys()].sort());
  });

  it('predicts the same pixels', () => {
    scope(() => {
      const patches = patchify(batch.images_B3YX, sizes.patch);
      const { tokens_BTD } = mae.student.backbone.forward(patches, { visible: batch.visible });
      const predicted_BME = mae.student.decoder.forward(tokens_BTD, batch.visible, batch.masked);
      const expected_SE = ops.indexSelect(ops.flatten(golden.get('predicted')!, 0, 1), 0, batch.masked);
      expectClose(ops.flatten(predicted_BME, 0, 1), expected_SE, 1e-5, 'predictions');
    });
  });

  it('has the same loss and gradients', () => {
    scope(() => {
      const { losses } = mae.step(batch, { step: 0, measure: false, backward: (loss) => loss.backward() });
      expect(Math.abs(losses.reconstruction!.item() - sizes.loss)).toBeLessThan(1e-5 * sizes.loss);
    });
    const gradients = renamed(withPrefix(golden, 'gradients.'), names).state;
    const parameters = [...mae.student.parameters()];
    expect(parameters.length).toBe(gradients.size);
    // Keys' biases shift all products of a query alike: their gradient is zero but for rounding.
    for (const [name, parameter] of parameters.filter(([name]) => !name.endsWith('k_proj.bias')))
      expectClose(parameter.grad!, gradients.get(name)!, 1e-4, name);
  });
});

describe('Mae', () => {
  const config = maeRecipe.parse({
    method: 'mae',
    model: { width: 32, depth: 2, heads: 2, patchSize: 4, decoder: { width: 16, depth: 1, heads: 2 } },
    data: { imageSize: 16 },
    optim: { steps: 60, batchSize: 16, lr: 0.15, warmupSteps: 6 },
  });
  const images = new Uint8Array(16 * 16 * 16 * 3).map((_, i) => 128 + 100 * Math.sin(0.5 * (Math.floor(i / 3) % 16)));

  it('learns to fill in stripes, and leaves no tensor behind', () => {
    const outside = liveTensors().tensors;
    const mae = new Mae(config);
    const losses: number[] = [];
    for (let step = 0; step < 60; step++) {
      const batch = mae.makeBatch({ images, size: 16 }, step * 16);
      losses.push(trainStep(mae, [batch], step, { measure: step === 59 }).reconstruction!);
      mae.disposeBatch(batch);
    }
    expect(losses[0]).toBeGreaterThan(0.9);
    expect(losses.at(-1)).toBeLessThan(0.2 * losses[0]!);
    mae.dispose();
    expect(liveTensors().tensors).toBe(outside);
  });

  it('masks the share asked for, every patch equally often, by seed and position alone', () => {
    const mae = new Mae(config);
    const hits = new Float64Array(16);
    for (let round = 0; round < 100; round++) {
      const batch = mae.makeBatch({ images, size: 16 }, round * 16);
      expect([batch.visible.length, batch.masked.length]).toEqual([16 * 4, 16 * 12]);
      for (const patch of batch.masked.numbers()) hits[patch % 16]! += 1 / 1600;
      mae.disposeBatch(batch);
    }
    for (const share of hits) expect(Math.abs(share - 0.75)).toBeLessThan(4.5 * Math.sqrt((0.75 * 0.25) / 1600));
    const [one, two] = [mae.makeBatch({ images, size: 16 }, 32), mae.makeBatch({ images, size: 16 }, 33)];
    expect(
      two.masked
        .numbers()
        .slice(0, 12)
        .map((patch) => patch + 16),
    ).toEqual(one.masked.numbers().slice(12, 24));
    for (const batch of [one, two]) mae.disposeBatch(batch);
    mae.dispose();
  });

  it('puts predicted patches back where they were, with brightness and contrast', () => {
    const mae = new Mae(config);
    const random = Random.from(3);
    const noise = new Uint8Array(2 * 16 * 16 * 3).map(() => random.integer(0, 255));
    const batch = mae.makeBatch({ images: noise, size: 2 }, 0);
    const pixel = (patch: number, value: number) => {
      const [image, row, column] = [Math.floor(patch / 16), Math.floor((patch % 16) / 4), patch % 4];
      const [y, x, channel] = [row * 4 + Math.floor(value / 12), column * 4 + (Math.floor(value / 3) % 4), value % 3];
      return ((image * 16 + y) * 16 + x) * 3 + channel;
    };
    const perfect = batch.masked.numbers().flatMap((patch) => {
      const values = Array.from({ length: 48 }, (_, i) => (noise[pixel(patch, i)]! / 255 - MEAN[i % 3]!) / STD[i % 3]!);
      const mean = values.reduce((sum, value) => sum + value, 0) / 48;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 48;
      return values.map((value) => (value - mean) / Math.sqrt(variance));
    });
    const drawn = (predictions: readonly number[]) => {
      const predicted = Tensor.from(Float32Array.from(predictions), [2, 12, 48]);
      const { backbone, decoder } = mae.student;
      const network = Object.assign(Object.create(decoder), { forward: () => predicted }) as typeof decoder;
      using result = reconstruct({ backbone, decoder: network }, batch);
      predicted.dispose();
      return result.numbers();
    };
    drawn(perfect).forEach((value, i) => void expect(Math.abs(value - noise[i]!)).toBeLessThanOrEqual(1));
    const masked = new Set(batch.masked.numbers());
    const flat = drawn(perfect.map(() => 0));
    for (let patch = 0; patch < 32; patch++) {
      const places = Array.from({ length: 48 }, (_, i) => pixel(patch, i));
      const kept = places.every((place) => Math.abs(flat[place]! - noise[place]!) <= 1);
      const oneColour = new Set(places.map((place) => `${place % 3} ${flat[place]!}`)).size === 3;
      expect([kept, oneColour]).toEqual([!masked.has(patch), masked.has(patch)]);
    }
    mae.disposeBatch(batch);
    mae.dispose();
  });

  it('starts from an encoder alone and keeps its own decoder', () => {
    const [mae, other] = [new Mae(config), new Mae({ ...config, seed: 1 })];
    const before = mae.student.decoder.embed.weight.numbers();
    const encoder = [...other.student.state()].filter(([name]) => name.startsWith('backbone.'));
    mae.warmStart(new Map([['student', new Map(encoder)]]));
    expect(mae.student.decoder.embed.weight.numbers()).toEqual(before);
    expectClose(mae.student.backbone.patchEmbed.weight, other.student.backbone.patchEmbed.weight, 0);
    expect(() => mae.restore(new Map())).toThrow(/student/);
    for (const method of [mae, other]) method.dispose();
  });

  it('refuses sizes that do not fit, all at once', () => {
    const bad = { ...config, data: { ...config.data, imageSize: 18 }, mask: { ratio: 0.01 } };
    bad.model = { ...bad.model, width: 30, decoder: { ...bad.model.decoder, heads: 3 } };
    expect(() => new Mae(bad)).toThrow(
      /model\.width.*30[\s\S]*decoder\.width.*16[\s\S]*imageSize.*18[\s\S]*mask\.ratio/,
    );
  });

  it('says when masked patches stay unpredicted after the warm-up', () => {
    const mae = new Mae(config);
    const poor = { reconstruction: 1.02, featureSpread: 0.5, gradientNorm: 1 };
    expect(mae.health(poor).healthy).toBe(true);
    mae.afterUpdate(6);
    expect(mae.health(poor)).toMatchObject({ healthy: false, text: expect.stringContaining('no better than') });
    expect(mae.health({ ...poor, reconstruction: 0.6 }).healthy).toBe(true);
    mae.dispose();
  });
});
