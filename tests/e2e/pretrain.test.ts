import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { readEvents, readMetrics } from '../../src/runs/event-log.js';
import { RunFolder } from '../../src/runs/run-folder.js';
import { lastJson, runTessera } from '../support/run-tessera.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const recipe = fileURLToPath(new URL('../fixtures/capi-test.yaml', import.meta.url));
const scenes = 'scenes://?split=train&count=40&size=32';
const pretrain = (folder: string, ...more: string[]) =>
  runTessera(['pretrain', recipe, '--out', join(folder, 'run'), '--threads', '1', '--json', ...more]);

function photo(seed: number, side: number): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * (7 + seed)) % 256);
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg()
    .toBuffer();
}

it('trains a thousand steps in constant memory', () => {
  const folder = temporaryFolder();
  const { code, stderr } = pretrain(
    folder,
    '--data',
    scenes,
    'optim.steps=1000',
    'train.logEvery=50',
    'train.checkpointEvery=1000',
  );
  expect(code, stderr).toBe(0);
  const metrics = readMetrics(RunFolder.open(join(folder, 'run')));
  const [early, late] = [50, 1000].map((wanted) => metrics.find(({ step }) => step === wanted)!.values);
  expect(late!.liveTensors).toBe(early!.liveTensors);
  expect(late!.residentBytes! - early!.residentBytes!).toBeLessThanOrEqual(5 * 2 ** 20);
});

it('replaces a broken image, names it once, and tells the event log', async () => {
  const folder = temporaryFolder();
  const images = join(folder, 'images');
  mkdirSync(images);
  for (let i = 0; i < 60; i++) writeFileSync(join(images, `${String(i).padStart(2, '0')}.jpg`), await photo(i, 48));
  const good = readFileSync(join(images, '07.jpg'));
  writeFileSync(join(images, '07.jpg'), good.subarray(0, good.length / 2));
  const { code, stderr } = pretrain(folder, '--data', images, 'optim.steps=20', 'train.checkpointEvery=20');
  expect(code, stderr).toBe(0);
  expect(stderr.match(/07\.jpg/g)).toHaveLength(1);
  const broken = readEvents(RunFolder.open(join(folder, 'run')).events).filter(({ type }) => type === 'broken-image');
  expect(broken).toHaveLength(1);
});

it('stops with the list when more than five in a hundred images are broken', async () => {
  const folder = temporaryFolder();
  const images = join(folder, 'images');
  mkdirSync(images);
  for (let i = 0; i < 30; i++)
    writeFileSync(join(images, `${i}.jpg`), i % 5 === 0 ? 'not a picture' : await photo(i, 48));
  const { code, stderr } = pretrain(folder, '--data', images);
  expect(code).toBe(1);
  expect(stderr).toMatch(/10\.jpg/);
  expect(JSON.parse(readFileSync(join(folder, 'run', 'status.json'), 'utf8'))).toMatchObject({ state: 'failed' });
});

it.each([
  ['an unknown key', ['--data', scenes, 'optim.lrr=1'], 2, /optim\.lrr.*optim\.lr/s],
  ['a wrong type', ['--data', scenes, 'optim.steps=many'], 2, /optim\.steps/],
  [
    'two problems at once',
    ['--data', scenes, 'optim.steps=-1', 'seedd=2'],
    2,
    /optim\.steps.*seedd|seedd.*optim\.steps/s,
  ],
  [
    'a size that patches do not divide',
    ['--data', scenes, 'data.imageSize=30'],
    2,
    /multiple of model\.patchSize 8, received 30/,
  ],
  [
    'heads that do not divide the width',
    ['--data', scenes, 'model.heads=3'],
    2,
    /model\.width: expected a multiple of 4 x 3 heads/,
  ],
  ['a folder that does not exist', ['--data', '/nowhere/at/all'], 1, /nowhere/],
])('refuses %s and writes nothing', (_, args, code, pattern) => {
  const folder = temporaryFolder();
  const result = pretrain(folder, ...args);
  expect(result.stderr).toMatch(pattern);
  expect([code, 2]).toContain(result.code);
  expect(RunFolder.isRun(join(folder, 'run'))).toBe(false);
});

it('refuses an empty folder and a folder of text files', () => {
  const folder = temporaryFolder();
  for (const name of ['empty', 'texts']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'texts', 'a.txt'), 'words');
  expect(pretrain(folder, '--data', join(folder, 'empty')).stderr).toMatch(/empty|no image/i);
  expect(pretrain(folder, '--data', join(folder, 'texts')).stderr).toMatch(/\.txt 1|\.txt/);
});

it('starts from the weights of another run', () => {
  const folder = temporaryFolder();
  expect(pretrain(folder, '--data', scenes, '--max-steps', '5').code).toBe(0);
  cpSync(join(folder, 'run'), join(folder, 'first'), { recursive: true });
  const out = join(folder, 'second');
  const { code, stdout, stderr } = runTessera([
    ...['pretrain', recipe, '--data', scenes, '--out', out, '--threads', '1', '--max-steps', '1', '--json'],
    ...['--from', join(folder, 'first')],
  ]);
  expect(code, stderr).toBe(0);
  const started = lastJson(stdout) as { lossFirst: number };
  const metrics = readMetrics(RunFolder.open(join(folder, 'first')));
  // It goes on where the other run was, and not where a fresh network begins.
  expect(started.lossFirst).toBeLessThan(metrics[0]!.values.loss!);
});

it('stops after the third loss that is not finite, with the state saved', () => {
  const folder = temporaryFolder();
  const wild = ['optim.lr=1e38', 'optim.warmupSteps=0', 'optim.weightDecay=0'];
  const { code, stderr } = pretrain(folder, '--data', scenes, ...wild);
  expect(stderr).toMatch(/not finite for 3 steps in a row/);
  expect(code).toBe(1);
  expect(stderr).toMatch(/checkpoints\/nonfinite-\d+/);
});
