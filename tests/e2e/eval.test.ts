import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readEvents } from '../../src/runs/event-log.js';
import { lastJson, runTessera } from '../support/run-tessera.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const train = 'scenes://?split=train&count=24&size=32';
const test = 'scenes://?split=test&count=12&size=32';
const published = fileURLToPath(new URL('../goldens/capi_tiny.pth', import.meta.url));
const percent = { low: 0, high: 100 };
const isPercent = (value: number) => value >= percent.low && value <= percent.high;

describe('tessera eval', () => {
  it('judges a run beside its untrained encoder, at the size it was trained on, and logs it', () => {
    const folder = temporaryFolder();
    const run = join(folder, 'run');
    const tiny = [
      'model.width=48',
      'model.depth=2',
      'model.predictor.depth=1',
      'data.imageSize=32',
      'capi.prototypes=32',
    ];
    const steps = ['optim.batchSize=8', 'optim.steps=2', 'optim.warmupSteps=1'];
    const pretrain = runTessera(['pretrain', 'capi-tiny-cpu', ...tiny, ...steps, '--data', train, '--out', run]);
    expect(pretrain.code, pretrain.stderr).toBe(0);
    const out = join(folder, 'out');
    const cache = ['--cache', join(folder, 'features')];
    const evaluation = [
      ...cache,
      '--model',
      run,
      '--train',
      train,
      '--test',
      test,
      '--with-floor',
      '--out',
      out,
      '--json',
    ];
    for (const task of ['knn', 'segment-knn']) {
      const { code, stdout, stderr } = runTessera(['eval', task, ...evaluation]);
      expect(code, stderr).toBe(0);
      const json = lastJson(stdout) as Record<string, Record<string, number>> & {
        intervals: Record<string, [number, number]>;
      };
      const names = task === 'knn' ? ['top1', 'meanPerClass'] : ['miou', 'pixelAccuracy'];
      expect(json).toMatchObject({ task, weights: 'teacher', protocol: { size: 32, patchSize: 8 } });
      expect(Object.keys(json.metrics!)).toEqual(names);
      expect(Object.keys(json.floor!)).toEqual(names);
      for (const name of names) {
        expect(isPercent(json.metrics![name]!)).toBe(true);
        expect(json.intervals[name]![0]).toBeLessThanOrEqual(json.metrics![name]!);
        expect(json.intervals[name]![1]).toBeGreaterThanOrEqual(json.metrics![name]!);
      }
      expect(JSON.parse(readFileSync(join(out, `${task}.json`), 'utf8'))).toEqual(json);
    }
    const blocks = runTessera(['eval', 'blocks', ...evaluation.filter((option) => option !== '--json')]);
    expect(blocks.code, blocks.stderr).toBe(0);
    expect(blocks.stdout).toMatch(/^block +top-1, .+ +top-1, untrained/);
    expect(readFileSync(join(out, 'blocks.svg'), 'utf8')).toContain('mIoU by block');
    expect(existsSync(join(run, 'images', 'blocks.png'))).toBe(true);
    const cluster = runTessera([
      'eval',
      'cluster',
      '--model',
      run,
      '--test',
      test,
      '--clusters',
      '3',
      '--with-floor',
      '--json',
      ...cache,
    ]);
    expect(cluster.code, cluster.stderr).toBe(0);
    expect(lastJson(cluster.stdout)).toMatchObject({ task: 'cluster', protocol: { clusters: 3, runs: 10 } });
    const logged = readEvents(join(run, 'events.jsonl')).filter((event) => event.type === 'evaluation');
    expect(logged.map(({ task, step, encoder }) => [task, step, encoder])).toEqual([
      ['knn', 2, 'teacher'],
      ['segment-knn', 2, 'teacher'],
      ['blocks', 2, 'teacher'],
      ['cluster', 2, 'teacher'],
    ]);
  });

  it('judges a published file, and says so in a card', () => {
    const { code, stdout, stderr } = runTessera([
      'eval',
      'knn',
      '--model',
      published,
      '--train',
      train,
      '--test',
      test,
      '--size',
      '32',
      '--no-cache',
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/features +kept nowhere/);
    expect(stdout).toMatch(/top-1 +\d+\.\d % \(\d+\.\d to \d+\.\d\)/);
  });

  it('compares several models in a table, and in a list of results', () => {
    const out = temporaryFolder();
    const models = [
      '--cache',
      join(out, 'features'),
      '--model',
      `${published},baseline:colour`,
      '--size',
      '32',
      '--with-floor',
      '--out',
      out,
    ];
    const { code, stdout, stderr } = runTessera(['eval', 'cluster', ...models, '--test', test, '--runs', '2']);
    expect(code, stderr).toBe(0);
    const [head, ...rows] = stdout.split('\n');
    expect(head).toMatch(/^cluster +accuracy +NMI +AMI +ARI +silhouette +Davies-Bouldin$/);
    expect(rows.slice(0, 4).map((row) => /^ *\S+/.exec(row)?.[0])).toEqual([
      published,
      '  untrained',
      'baseline:colour',
      '*',
    ]);
    expect(stdout).toMatch(/features +\d+ written in /);
    const { task, results } = JSON.parse(readFileSync(join(out, 'cluster.json'), 'utf8'));
    expect(task).toBe('cluster');
    expect(results.map((result: { model: string; floor?: unknown }) => [result.model, 'floor' in result])).toEqual([
      [published, true],
      ['baseline:colour', false],
    ]);
  });

  it('refuses options of the other task, all at once', () => {
    const wrong = ['--search', '--k', '3', '--pooling', 'global', '--distance', 'L2'];
    const { code, stderr } = runTessera([
      'eval',
      'segment-knn',
      '--model',
      'x',
      '--train',
      train,
      '--test',
      test,
      ...wrong,
    ]);
    expect(code).toBe(2);
    for (const text of ['--pooling is not an option', '--k: the search chooses k itself', '--distance: the search']) {
      expect(stderr).toContain(text);
    }
  });
});

describe('tessera features', () => {
  it('writes a vector an image', () => {
    const out = join(temporaryFolder(), 'new', 'features.npy');
    const { code, stdout, stderr } = runTessera([
      'features',
      '--model',
      'baseline:colour',
      '--data',
      test,
      '--size',
      '32',
      '--pooling',
      'global',
      '--out',
      out,
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    expect(lastJson(stdout)).toMatchObject({ out, images: 12, width: 49, size: 32, pooling: 'global', broken: [] });
    expect(readFileSync(out).length).toBe(128 + 4 * 12 * 49);
    expect(readFileSync(`${out}.tsv`, 'utf8').trimEnd().split('\n')).toHaveLength(13);
  });
});
