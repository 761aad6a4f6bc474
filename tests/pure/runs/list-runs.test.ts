import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listRuns, summariseRun } from '../../../src/runs/list-runs.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { exampleRun } from './example-run.js';

test('runs are found in sub-folders, told by name, and damaged ones are listed as such', () => {
  const folder = temporaryFolder();
  exampleRun(join(folder, 'first'));
  const damaged = exampleRun(join(folder, 'sweep', 'b'));
  writeFileSync(damaged.events, 'nonsense\n{}\n');
  mkdirSync(join(folder, 'photos'));
  const runs = listRuns(folder);
  expect(runs.map(({ name, state }) => [name, state]).sort()).toEqual([
    ['b', 'unreadable'],
    ['first', 'finished'],
  ]);
  expect(runs.find(({ name }) => name === 'b')?.problem).toContain('events.jsonl:1');
  expect(listRuns(join(folder, 'first')).map(({ name }) => name)).toEqual(['first']);
});

test('a summary has first and last loss, and the best of the task that was evaluated first', () => {
  const evaluation = { type: 'evaluation', encoder: 'teacher' } as const;
  const run = exampleRun(join(temporaryFolder(), 'first'), undefined, [
    { type: 'metrics', step: 10, values: { loss: 7.5, 'teacher/entropy': 1 } },
    { ...evaluation, step: 50, task: 'knn', metrics: { meanPerClass: 90, top1: 40 } },
    { ...evaluation, step: 60, task: 'segment-knn', metrics: { miou: 99, top1: 99 } },
    { ...evaluation, step: 70, task: 'knn', metrics: { top1: 55 } },
    { ...evaluation, step: 80, task: 'knn', metrics: { top1: 50 } },
    { type: 'metrics', step: 90, values: { loss: 3.25 } },
  ]);
  expect(summariseRun(run)).toMatchObject({
    method: 'capi',
    state: 'finished',
    step: 100,
    steps: 100,
    lossFirst: 7.5,
    lossLast: 3.25,
    best: { task: 'knn', metric: 'top1', value: 55, step: 70 },
  });
  rmSync(run.status);
  expect(summariseRun(run)).toMatchObject({ state: 'interrupted', step: 100, steps: 100 });
});
