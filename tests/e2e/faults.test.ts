import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readEvents, readMetrics } from '../../src/runs/event-log.js';
import { RunFolder } from '../../src/runs/run-folder.js';
import { fakeLibtorch } from '../support/fake-libtorch.js';
import { runTessera } from '../support/run-tessera.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const recipe = fileURLToPath(new URL('../fixtures/capi-test.yaml', import.meta.url));
const pretrain = (out: string, data = 'scenes://?split=train&count=40&size=32') => [
  ...['pretrain', recipe, '--data', data, '--out', out, '--threads', '1', '--json'],
];

/** The library that makes system calls fail, compiled into `folder`. */
function faults(folder: string): string {
  const library = join(folder, 'faults.so');
  const source = fileURLToPath(new URL('../support/faults.c', import.meta.url));
  const compiler = process.env.CXX || 'g++';
  const { status, stderr } = spawnSync(compiler, ['-x', 'c', '-shared', '-fPIC', '-o', library, source, '-ldl']);
  expect(status, String(stderr)).toBe(0);
  return library;
}

describe.runIf(process.platform === 'linux')('a full disk', () => {
  for (const [what, path] of [
    ['a checkpoint', 'checkpoints'],
    ['the event log', 'events.jsonl'],
  ] as const) {
    it(`while ${what} is written ends the run with a message, and nothing is lost`, () => {
      const folder = temporaryFolder();
      const out = join(folder, 'run');
      expect(runTessera([...pretrain(out), '--max-steps', '10']).code).toBe(0);
      const env = { LD_PRELOAD: faults(folder), FAULT_FULL: `${join(out, path)}:300` };
      const { code, stderr } = runTessera([...pretrain(out), '--resume'], undefined, env);
      expect(stderr).toMatch(/full|space/i);
      expect(stderr).toContain(out);
      expect(code).toBe(1);
      expect(readdirSync(join(out, 'checkpoints')).filter((name) => name.includes('partial'))).toEqual([]);
      const again = runTessera([...pretrain(out), '--resume']);
      expect(again.code, again.stderr).toBe(0);
      expect(new Set(readMetrics(RunFolder.open(out)).map(({ step }) => step)).size).toBe(30);
    });
  }
});

it.runIf(process.platform === 'linux')('replaces an image that cannot be read, and says why', async () => {
  const folder = temporaryFolder();
  const images = join(folder, 'images');
  mkdirSync(images);
  const pixels = { width: 40, height: 40, channels: 3, background: 'teal' } as const;
  for (let i = 10; i < 70; i++)
    await sharp({ create: pixels })
      .jpeg()
      .toFile(join(images, `${i}.jpg`));
  const out = join(folder, 'run');
  const env = { LD_PRELOAD: faults(folder), FAULT_OPEN: '/17.jpg' };
  const { code, stderr } = runTessera(pretrain(out, images), undefined, env);
  expect(code, stderr).toBe(0);
  expect(stderr.match(/17\.jpg.*/g)).toEqual([expect.stringMatching(/EIO|input\/output|i\/o/i)]);
  const broken = readEvents(RunFolder.open(out).events).filter(({ type }) => type === 'broken-image');
  expect(broken).toHaveLength(1);
});

describe('the engine', () => {
  it('is asked for when it is missing, and nothing is written', () => {
    const out = join(temporaryFolder(), 'run');
    const { code, stderr } = runTessera(pretrain(out), undefined, { TESSERA_LIBTORCH: '/nowhere' });
    expect(stderr).toContain('TESSERA_LIBTORCH=/nowhere: /nowhere does not exist');
    expect(stderr).toContain('npm run setup');
    expect(code).toBe(1);
    expect(existsSync(out)).toBe(false);
  });

  it('is refused in another version, with the version that is needed', () => {
    const folder = temporaryFolder();
    const root = fakeLibtorch(join(folder, 'torch'), '2.3.1');
    const out = join(folder, 'run');
    const { code, stderr } = runTessera(pretrain(out), undefined, { TESSERA_LIBTORCH: root });
    expect(stderr).toContain('2.3.1');
    expect(stderr).toContain('npm run setup');
    expect(code).toBe(1);
    expect(existsSync(out)).toBe(false);
  });
});
