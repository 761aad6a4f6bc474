import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pretrain } from '../../../src/recipes/pretrain.js';
import { refreshReport } from '../../../src/report/refresh-report.js';
import { liveEvents, readEvents, readMetrics } from '../../../src/runs/event-log.js';
import { RunFolder } from '../../../src/runs/run-folder.js';
import { ConfigError, DataError, UsageError } from '../../../src/support/errors.js';
import { liveTensors } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const data = 'scenes://?split=train&count=16&size=32';
const tiny = [
  ...['model.width=48', 'model.depth=2', 'model.heads=3', 'model.predictor.depth=1', 'data.imageSize=32'],
  ...['capi.prototypes=16', 'optim.batchSize=8', 'optim.steps=6', 'optim.warmupSteps=1', 'train.logEvery=1'],
  ...['train.checkpointEvery=2', 'data.workers=1'],
];
const small = 'count=8&size=32';
const judged = [
  `evaluations.train=scenes://?split=train&${small}`,
  `evaluations.test=scenes://?split=val&${small}`,
  'evaluations.fast.every=2',
  'evaluations.fast.tasks=[{task: knn, options: {k: [3]}}]',
  'evaluations.slow.every=3',
  'evaluations.slow.tasks=[{task: knn, name: near, options: {k: [1]}}]',
  'evaluations.final.tasks=[segment-knn]',
];

async function run(out: string, overrides: readonly string[], rest: { resume?: boolean; maxSteps?: number } = {}) {
  await pretrain({ recipe: 'capi-tiny-cpu', overrides: [...tiny, ...overrides], data, out, threads: 1, ...rest });
  return RunFolder.open(out);
}

const losses = (folder: RunFolder) =>
  readMetrics(folder).flatMap(({ step, values }) => (values.loss === undefined ? [] : [[step, values.loss]]));
const evaluated = (folder: RunFolder) =>
  liveEvents(readEvents(folder.events)).flatMap((event) =>
    event.type === 'evaluation' ? [`${event.step} ${event.name}`] : [],
  );
const all = ['0 knn', '0 near', '2 knn', '3 near', '4 knn', '6 knn', '6 near', '6 segment-knn'];

describe('evaluations of a recipe', () => {
  it('judge on the way, change no loss, and are done once each when the run is stopped and resumed', async () => {
    const folder = temporaryFolder();
    const before = liveTensors().tensors;
    const plain = await run(join(folder, 'plain'), []);
    const whole = await run(join(folder, 'whole'), judged);
    expect(losses(whole)).toEqual(losses(plain));
    expect(losses(plain)).toHaveLength(6);
    expect(evaluated(whole)).toEqual(all);

    const parts = join(folder, 'parts');
    await run(parts, judged, { maxSteps: 3 });
    const resumed = await run(parts, judged, { resume: true });
    expect(evaluated(resumed)).toEqual(all);
    expect(losses(resumed)).toEqual(losses(plain));
    // A run that is complete but for an evaluation that was asked for later makes up for it.
    await run(
      parts,
      [...judged, 'evaluations.final.tasks=[segment-knn, {task: unlabelled, options: {lidarViews: 2}}]'],
      { resume: true },
    );
    expect(evaluated(resumed)).toEqual([...all, '6 unlabelled']);
    expect(liveTensors().tensors).toBe(before);

    const events = readEvents(whole.events);
    const last = events.findLast((event) => event.type === 'evaluation' && event.name === 'knn');
    const start = events.find((event) => event.type === 'evaluation' && event.name === 'knn');
    expect(last).toMatchObject({ step: 6, encoder: 'teacher', on: `scenes://?split=val&${small}` });
    expect(last).toHaveProperty('floor', start?.type === 'evaluation' ? start.metrics : {});
    const health = events.findLast((event) => event.type === 'health' && event.check === 'knn');
    expect(health).toHaveProperty('message', expect.stringMatching(/^knn: top-1 .+ %, .+ % at the start/));
    const page = readFileSync(refreshReport(whole, 'tessera'), 'utf8');
    expect(page).toContain('knn of teacher on scenes://');
    expect(page).toMatch(/aria-label="Knn/);
  });

  it('leave a warning where they fail, and the run goes on', async () => {
    const folder = await run(join(temporaryFolder(), 'run'), [
      ...judged,
      'evaluations.fast.tasks=[{task: knn, options: {k: [99]}}]',
    ]);
    expect(evaluated(folder)).toEqual(all.filter((name) => !name.endsWith(' knn')));
    const warnings = readEvents(folder.events).filter((event) => event.type === 'warning');
    expect(warnings.map(({ step }) => step)).toEqual([0, 2, 4, 6]);
    expect(warnings[0]).toHaveProperty('message', expect.stringContaining('Expected 1 to 8 neighbours'));
    expect(readEvents(folder.events).at(-1)).toMatchObject({ type: 'finished', step: 6 });
  });

  it.each([
    ['evaluations.fast.tasks=[kn]', UsageError, 'Expected one of the tasks'],
    ['evaluations.fast.tasks=[{task: knn, options: {kk: 3}}]', UsageError, 'kk'],
    ['evaluations.fast.tasks=[knn, knn]', ConfigError, 'knn is there twice'],
    ['evaluations.test=scenes://?split=val&count=0', Error, 'count'],
  ])('are refused before the run begins: %s', async (override, kind, text) => {
    const out = join(temporaryFolder(), 'run');
    const wrong = run(out, [...judged, override]);
    await expect(wrong).rejects.toThrow(text);
    await expect(wrong).rejects.toBeInstanceOf(kind);
    expect(RunFolder.isRun(out)).toBe(false);
  });
});

describe('evaluations', () => {
  it('are refused without images, and without labels that they need', async () => {
    const out = join(temporaryFolder(), 'run');
    const none = run(out, ['evaluations.fast.tasks=[knn]']);
    await expect(none).rejects.toThrow('evaluations.fast: knn needs labelled images to compare with');
    await expect(none).rejects.toBeInstanceOf(ConfigError);
    const plain = join(import.meta.dirname, '../../goldens');
    const wrong = run(out, [...judged, `evaluations.test=${plain}`]);
    await expect(wrong).rejects.toBeInstanceOf(DataError);
  });
});
