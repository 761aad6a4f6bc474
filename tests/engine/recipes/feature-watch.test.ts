import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { openDataset } from '../../../src/data/spec.js';
import { watchFeatures } from '../../../src/recipes/feature-watch.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { liveTensors, type Tensor } from '../../../src/tensor/tensor.js';
import type { Method } from '../../../src/train/method.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

/** The red of b would vote for itself if it were there twice. */
const colours = { a: { '0.png': [200, 20, 20], '1.png': [20, 20, 200] }, b: { '1.png': [190, 40, 20] } };

async function watched(folder: string): Promise<Readonly<Record<string, number>>> {
  const measured: Readonly<Record<string, number>>[] = [];
  const features = (images_B3YX: Tensor) => new Map([['colour', ops.meanDim(images_B3YX, [2, 3])]]);
  const { look } = watchFeatures({
    ...{ method: { features } as unknown as Method<unknown>, dataset: await openDataset(folder), images: 10, every: 1 },
    ...{ size: 8, device: 'cpu', workers: 1, record: (_, values) => measured.push(values) },
  });
  await look(0);
  return measured[0]!;
}

it('leaves broken images out, and does not take another one twice for them', async () => {
  const folder = temporaryFolder();
  for (const [name, files] of Object.entries(colours)) {
    mkdirSync(join(folder, name));
    for (const [file, [r, g, b]] of Object.entries(files) as [string, number[]][]) {
      const background = { r: r!, g: g!, b: b! };
      const picture = sharp({ create: { width: 8, height: 8, channels: 3, background } });
      writeFileSync(join(folder, name, file), await picture.png().toBuffer());
    }
  }
  const broken = join(folder, 'b', '0.png');
  writeFileSync(broken, 'broken');
  const before = liveTensors().tensors;
  const found = await watched(folder);
  expect(liveTensors().tensors).toBe(before);
  rmSync(broken);
  expect(found).toEqual(await watched(folder));
  // The two reds are taken for each other's class.
  expect(found).toEqual({ colour: 25 });
});
