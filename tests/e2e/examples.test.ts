import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.js';

const script = fileURLToPath(new URL('../../scripts/example.mjs', import.meta.url));
const example = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });

it('searches photos: the query itself comes first', async () => {
  const folder = temporaryFolder();
  const photos = join(folder, 'photos');
  mkdirSync(photos);
  for (let i = 0; i < 5; i++) {
    const pixels = Uint8Array.from({ length: 40 * 40 * 3 }, (_, j) => (i * 40 + (j % (i + 2)) * 60) % 256);
    const jpeg = await sharp(pixels, { raw: { width: 40, height: 40, channels: 3 } })
      .jpeg()
      .toBuffer();
    writeFileSync(join(photos, `${i}.jpg`), jpeg);
  }
  const { status, stdout, stderr } = example('search-photos', 'random:vit-ti', join(photos, '3.jpg'), photos);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const lines = stdout.trim().split('\n');
  expect(lines[0]).toBe('1.0000 3.jpg');
  expect(lines).toHaveLength(5);
});

it('trains from code', () => {
  const { status, stdout } = example('train-from-code', join(temporaryFolder(), 'run'), '20');
  expect(status).toBe(0);
  expect(stdout).toMatch(/loss \d\.\d+ to \d\.\d+\nmean IoU \d+\.\d %, untrained \d+\.\d %/);
});
