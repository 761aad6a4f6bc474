import {
  closeSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/spec.js';
import { colourBaseline } from '../../../src/evals/baseline/colour-baseline.js';
import { extractFeatures, type Features } from '../../../src/features/extract.js';
import { FeatureCache } from '../../../src/features/feature-cache.js';
import type { ImageEncoder } from '../../../src/models/encoder.js';
import { VisionTransformer } from '../../../src/models/vit.js';
import { vitOptions } from '../../../src/models/vit-options.js';
import { Generator } from '../../../src/tensor/generator.js';
import { readSafetensors } from '../../../src/tensor/safetensors.js';
import { liveTensors } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const dataset = await openDataset('scenes://?split=train&count=7&size=32');

/** The colour baseline, and how many batches it has seen. */
function counting(name = 'one'): { encoder: ImageEncoder; passes: () => number } {
  const colours = colourBaseline(8);
  let batches = 0;
  const embed: ImageEncoder['embed'] = (images) => {
    batches++;
    return colours.embed(images);
  };
  return { encoder: { ...colours, embed, fingerprint: () => name }, passes: () => batches };
}

const entries = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.safetensors'));

async function open(limit?: number): Promise<FeatureCache> {
  return FeatureCache.open({ folder: temporaryFolder(), limit });
}

describe('FeatureCache', () => {
  it('spares the second pass, also for one vector an image of another kind, and gives the same numbers', async () => {
    const before = liveTensors().tensors;
    const cache = await open();
    const { encoder, passes } = counting();
    const options = { encoder, dataset, size: 32, view: 'resize', workers: 1, batchSize: 3 } as const;
    const plain = await extractFeatures({ ...options, kinds: ['patches', 'global'], pixels: true });
    expect(passes()).toBe(3);
    const first = await extractFeatures({ ...options, cache, kinds: ['patches', 'global'], pixels: true });
    expect(passes()).toBe(6);
    const second = await extractFeatures({ ...options, cache, kinds: ['patches', 'global'], pixels: true });
    const other = await extractFeatures({ ...options, cache, kinds: ['patchMean'] });
    expect(passes()).toBe(6);
    for (const features of [first, second]) {
      expect(features.patches_NPD!.data()).toEqual(plain.patches_NPD!.data());
      expect(features.global_ND!.data()).toEqual(plain.global_ND!.data());
      expect(features.pixels).toEqual(plain.pixels);
      expect([features.labels, features.names, features.broken]).toEqual([plain.labels, plain.names, []]);
    }
    expect(other.patchMean_ND!.shape).toEqual([7, 6]);
    expect(cache.counts).toEqual({ found: 4, made: 4, removed: 0 });
    for (const features of [plain, first, second, other]) features.dispose();
    expect(liveTensors().tensors).toBe(before);
  });

  it('keeps encoders, sizes and views apart, but shares pixel labels', async () => {
    const cache = await open();
    const [one, two] = [counting('one'), counting('two')];
    const extract = async (encoder: ImageEncoder, size: number, view: 'resize' | 'resize-centre-crop') => {
      const options = { dataset, workers: 1, cache, kinds: ['global'], pixels: true } as const;
      (await extractFeatures({ ...options, encoder, size, view })).dispose();
    };
    await extract(one.encoder, 32, 'resize');
    await extract(two.encoder, 32, 'resize');
    await extract(one.encoder, 16, 'resize');
    await extract(one.encoder, 32, 'resize-centre-crop');
    expect([one.passes(), two.passes()]).toEqual([3, 1]);
    expect(entries(cache.folder)).toHaveLength(4 * 2 + 3);
  });

  it('lets files be read as safetensors', async () => {
    const cache = await open();
    const { encoder } = counting();
    const options = { encoder, dataset, size: 32, view: 'resize', workers: 1, cache, kinds: ['global'] } as const;
    using features = asDisposable(await extractFeatures(options));
    const sizes = entries(cache.folder).map((name) => {
      const tensors = readSafetensors(join(cache.folder, name));
      const shapes = [...tensors].map(([key, { shape }]) => `${key} ${shape}`);
      for (const tensor of tensors.values()) tensor.dispose();
      return shapes.join('; ');
    });
    expect(sizes.sort()).toEqual(['rows 7,49; indices 7', 'rows 7,6; indices 7']);
    expect(features.count).toBe(7);
  });

  it('makes what is damaged again: a changed byte or header, a missing end, an empty or another file', async () => {
    const cache = await open();
    const { encoder, passes } = counting();
    const kinds = ['patches', 'global', 'patchMean'] as const;
    const options = { encoder, dataset, size: 32, view: 'resize', workers: 1, cache, kinds, pixels: true } as const;
    const first = await extractFeatures(options);
    const rows = (of: Features) => [of.patches_NPD, of.global_ND, of.patchMean_ND].map((tensor) => tensor!.data());
    const expected = rows(first);
    first.dispose();
    const damages = [
      (path: string) => changeByte(path, 4200),
      (path: string) => changeByte(path, 20),
      (path: string) => truncateSync(path, statSync(path).size - 1),
      (path: string) => writeFileSync(path, ''),
    ];
    expect(entries(cache.folder)).toHaveLength(4);
    for (const [index, name] of entries(cache.folder).entries()) damages[index]!(join(cache.folder, name));
    const again = await extractFeatures(options);
    expect([passes(), cache.counts.found, cache.counts.made]).toEqual([2, 0, 8]);
    expect(rows(again)).toEqual(expected);
    expect(again.pixels).toEqual(first.pixels);
    again.dispose();
    for (const name of entries(cache.folder)) writeFileSync(join(cache.folder, name), 'text');
    (await extractFeatures(options)).dispose();
    (await extractFeatures(options)).dispose();
    expect(passes()).toBe(3);
  });

  it('clears what a killed process left half-written', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'x.safetensors.partial-999999999'), 'half');
    await FeatureCache.open({ folder });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves nothing when extraction fails', async () => {
    const cache = await open();
    const { encoder } = counting();
    let batches = 0;
    const failing: ImageEncoder = {
      ...encoder,
      embed: (images) => {
        if (batches++ === 1) throw new Error('torn');
        return encoder.embed(images);
      },
    };
    const options = { encoder: failing, dataset, size: 32, view: 'resize', workers: 1, batchSize: 3, cache } as const;
    await expect(extractFeatures({ ...options, kinds: ['patches'] })).rejects.toThrow('torn');
    expect(readdirSync(cache.folder)).toEqual([]);
  });

  it('holds its limit by removing what was not used for longest, and what is mapped stays readable', async () => {
    const cache = await open(15_000);
    const extract = (name: string) =>
      extractFeatures({
        ...{ encoder: counting(name).encoder, dataset, size: 32, workers: 1, cache },
        view: 'resize',
        kinds: ['global'],
      });
    const first = await extract('first');
    const values = first.global_ND!.data();
    entries(cache.folder).forEach((name) => {
      utimesSync(join(cache.folder, name), 1000, 1000);
    });
    (await extract('second')).dispose();
    expect(cache.size()).toBeLessThanOrEqual(15_000);
    expect(cache.counts.removed).toBeGreaterThan(0);
    (await extract('second')).dispose();
    expect(cache.counts.made).toBe(4);
    expect(first.global_ND!.data()).toEqual(values);
    first.dispose();
    const small = await FeatureCache.open({ folder: cache.folder, limit: 1 });
    small.prune();
    expect(readdirSync(cache.folder)).toEqual([]);
  });
});

describe('blocks', () => {
  it('gives class token, mean and patches of every block as the encoder does, in one pass', async () => {
    using generator = new Generator(3);
    const sizes = { patchSize: 8, width: 16, depth: 3, heads: 2 };
    using encoder = new VisionTransformer(vitOptions({ ...sizes, positions: { kind: 'computed' } }), generator);
    const options = { encoder, dataset, size: 32, view: 'resize', workers: 1, cache: await open() } as const;
    const blocks = { of: [0, 2], kinds: ['class', 'patchMean', 'patches'] } as const;
    const features = await extractFeatures({ ...options, kinds: ['class'], blocks });
    expect([...features.blocks.keys()]).toEqual([0, 2]);
    const { patches_NPD, patchMean_ND, class_ND } = features.blocks.get(2)!;
    expect([patches_NPD!.shape, patchMean_ND!.shape, class_ND!.shape]).toEqual([
      [7, 16, 16],
      [7, 16],
      [7, 16],
    ]);
    const patches = patches_NPD!.numbers();
    patchMean_ND!.numbers().forEach((mean, i) => {
      const [image, column] = [Math.floor(i / 16), i % 16];
      const own = Array.from({ length: 16 }, (_, patch) => patches[(image * 16 + patch) * 16 + column]!);
      expect(mean).toBeCloseTo(own.reduce((sum, value) => sum + value, 0) / 16, 4);
    });
    // The last block differs from the output by the final norm, and blocks from each other.
    expect(class_ND!.numbers()).not.toEqual(features.class_ND!.numbers());
    expect(class_ND!.numbers()).not.toEqual(features.blocks.get(0)!.class_ND!.numbers());
    features.dispose();
    await expect(extractFeatures({ ...options, encoder: colourBaseline(8), kinds: ['class'] })).rejects.toThrow(
      /class token/,
    );
  });
});

function changeByte(path: string, at: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Uint8Array.of(0x5a), 0, 1, at);
  closeSync(file);
}

function asDisposable<T extends { dispose(): void }>(value: T): T & Disposable {
  return Object.assign(value, { [Symbol.dispose]: () => value.dispose() });
}
