import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadWeights } from '../../../src/models/load-weights.js';
import { patchify } from '../../../src/models/patches.js';
import { PositionTable } from '../../../src/models/position-table.js';
import { VisionTransformer } from '../../../src/models/vit.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../../src/tensor/tensor.js';
import { expectClose, goldenJson, goldensFolder, goldenTensors, withPrefix } from '../../support/goldens.js';

interface Golden {
  config: { heads: number; patch: number; grid: number; local_grid: number; image: number };
}

// Ours holds the keys about encoders of the whole set, which has the short name.
const name = ['refiner_tiny_encoders', 'refiner_tiny'].find((file) => existsSync(join(goldensFolder, `${file}.json`)));
if (name === undefined) console.warn(`skipped: no refiner_tiny.json in ${goldensFolder}`);

describe.skipIf(name === undefined)("MIM-Refiner's encoders", () => {
  const { config } = name === undefined ? ({ config: {} } as Golden) : goldenJson<Golden>(name);
  const tensors = name === undefined ? new Map<string, Tensor>() : goldenTensors(name);
  const at = (key: string): Tensor => {
    const tensor = tensors.get(key);
    if (!tensor) throw new Error(`no golden ${key}`);
    return tensor;
  };
  afterAll(() => {
    for (const tensor of tensors.values()) tensor.dispose();
  });

  /** The encoder of a file beside the goldens, with its weights as they are named there. */
  async function open(file: string): Promise<VisionTransformer> {
    using weights = await loadWeights(`${join(goldensFolder, file)}?heads=${config.heads}`, ['teacher']);
    if (weights.encoder.kind !== 'vit') throw new Error(weights.encoder.kind);
    using generator = new Generator(0);
    const vit = new VisionTransformer(weights.encoder, generator);
    vit.load(withPrefix(weights.parts.get('teacher')!, 'backbone.'));
    return vit;
  }
  const forward = (vit: VisionTransformer, images: Tensor) =>
    scope(() => noGrad(() => vit.forward(patchify(images, vit.patchSize), { blocks: [...vit.blocks.keys()] })));

  it.each([
    ['mae_tiny.pth', 'prenorm'],
    ['data2vec2_tiny.pt', 'postnorm'],
  ])('%s: result and every block, of the stored grid and of a resized one', async (file, kind) => {
    const vit = await open(file);
    for (const crop of ['global', 'local']) {
      scope(() => {
        const expected = withPrefix(tensors, `forward.${kind}.${crop}.`);
        const images = at(`forward.image.${crop}`);
        const { tokens_BTD, blocks } = forward(vit, images);
        expectClose(tokens_BTD, expected.get('main')!, 1e-4, `${crop} result`);
        for (const [block, tokens] of blocks)
          expectClose(tokens, expected.get(`block${block}`)!, 1e-4, `block ${block}`);
        expect(blocks.size).toBe([...expected.keys()].filter((key) => key.startsWith('block')).length);

        const embedding = vit.embed(images, { blocks: [vit.depth - 1] });
        expectClose(embedding.global_BD, expected.get('main_class_token')!, 1e-4, 'class token');
        expectClose(embedding.class_BD!, expected.get('main_class_token')!, 1e-4, 'class token');
        const mean = (patches_BYXD: Tensor) => ops.meanDim(patches_BYXD, [1, 2]);
        expectClose(mean(embedding.patches_BYXD), expected.get('main_mean_patch')!, 1e-4, 'mean of patches');
        const raw = embedding.blocks!.get(vit.depth - 1)!;
        expectClose(raw.class_BD!, expected.get('last_raw_cls')!, 1e-4, 'raw class token');
        expectClose(mean(raw.patches_BYXD), expected.get('last_raw_mean_patch')!, 1e-4, 'raw mean of patches');
      });
    }
    vit.dispose();
  });

  it('crossmae_tiny.pth has a norm that only standardises, dbot_tiny.pth its own', async () => {
    const [crossmae, dbot] = [await open('crossmae_tiny.pth'), await open('dbot_tiny.pth')];
    scope(() => {
      const image = ops.narrow(at('forward.image.global'), 0, 0, 1);
      const { tokens_BTD, blocks } = forward(crossmae, image);
      expectClose(tokens_BTD, at('forward.crossmae.identity_norm_main'), 1e-4, 'crossmae');
      expectClose(blocks.get(crossmae.depth - 1)!, at('forward.crossmae.main'), 1e-4, 'crossmae, raw');
      expectClose(forward(dbot, image).tokens_BTD, at('forward.dbot.main'), 1e-4, 'dbot');
    });
    crossmae.dispose();
    dbot.dispose();
  });

  it('maerefined_tiny.th, a released encoder', async () => {
    const vit = await open('maerefined_tiny.th');
    scope(() => {
      const images = (key: string) => ops.narrow(at(`images.step0.${key}`), 0, 0, 2);
      expectClose(forward(vit, images('global')).tokens_BTD, at('forward.released.main'), 1e-4);
      expectClose(forward(vit, images('local')).tokens_BTD, at('forward.released.main_local'), 1e-4);
    });
    vit.dispose();
  });

  it.each([
    ['mae_tiny.pth', 'mae'],
    ['data2vec2_tiny.pt', 'data2vec2'],
  ])('%s: weights as the published loader maps them', async (file, kind) => {
    using weights = await loadWeights(`${join(goldensFolder, file)}?heads=${config.heads}`, ['student']);
    const state = weights.parts.get('student')!;
    const ours = (key: string): string =>
      key
        .replace('pos_embed.embed', 'positions.table')
        .replace('cls_tokens.tokens', 'class_token')
        .replace('patch_embed.proj', 'patch_embed')
        .replace(/norm([12])/, 'residual$1.norm')
        .replace('.attn.', '.residual1.fn.')
        .replace('.mlp.', '.residual2.fn.');
    scope(() => {
      const expected = withPrefix(tensors, `remap.${kind}.`);
      expect(expected.size).toBeGreaterThan(10);
      for (const [key, tensor] of expected) {
        const part = (letter: string) => state.get(`backbone.${ours(key).replace('qkv', `${letter}_proj`)}`)!;
        const actual = key.includes('qkv') ? ops.cat(['q', 'k', 'v'].map(part)) : part('');
        expect(actual.data(), key).toEqual(tensor.data());
      }
    });
  });

  it('positions are resized in float32, also for encoders in float64', async () => {
    const vit = await open('mae_tiny.pth');
    scope(() => {
      const table = vit.positions as PositionTable;
      const side = config.image / config.patch;
      const grids: [string, number, number][] = [
        ['local', config.local_grid, config.local_grid],
        ['train', side, side],
        ['wide', 5, 9],
      ];
      const check = () => {
        for (const [key, rows, columns] of grids) {
          const resized = ops.unflatten(table.forward(rows, columns), 1, [rows, columns]);
          expectClose(resized, at(`pos_embed.${key}`), 1e-6, key);
        }
      };
      check();
      const larger = ops.unflatten(table.forward(config.grid + 4, config.grid + 4), 1, [config.grid + 4, -1]);
      expectClose(ops.narrow(larger, 1, 0, 2), at('pos_embed.larger.rows0to2'), 1e-6);
      const single = table.forward(5, 9).data();
      table.to({ dtype: 'float64' });
      check();
      expect(Array.from(table.forward(5, 9).data(), Number)).toEqual(Array.from(single, Number));
    });
    vit.dispose();
  });

  it("a fresh fixed table is MAE's", () => {
    using generator = new Generator(0);
    const stored = at('remap.mae.pos_embed.embed');
    const [, rows, columns, width] = stored.shape as [number, number, number, number];
    const table = new PositionTable({ rows, columns, width, learned: false, antialias: false, offset: 0 }, generator);
    expectClose(table.table, stored, 1e-6);
    table.dispose();
  });

  it('places chosen patches as in the whole image', async () => {
    const vit = await open('mae_tiny.pth');
    scope(() => {
      const images = at('forward.image.local');
      const patches = patchify(images, vit.patchSize);
      const count = patches.rows * patches.columns;
      // Attention does not mind the order: all patches in another one must give the same features.
      const order = Int32Array.from({ length: 2 * count }, (_, i) =>
        i < count ? count - 1 - i : count + ((i + 5) % count),
      );
      const visible = ops.to(Tensor.from(order, [order.length]), 'int64');
      const whole = vit.forward(patches).tokens_BTD;
      const part = vit.forward(patches, { visible }).tokens_BTD;
      const split = (tokens: Tensor) => ops.flatten(vit.split(tokens).patches_BPD, 0, 1);
      expectClose(split(part), ops.indexSelect(split(whole), 0, visible), 1e-5);
      expectClose(vit.split(part).class_BD!, vit.split(whole).class_BD!, 1e-5);
    });
    vit.dispose();
  });
});
