import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lastJson, runTessera } from '../support/run-tessera.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const data = ['--train', 'scenes://?split=train&count=8&size=32', '--test', 'scenes://?split=test&count=4&size=32'];

it('fine-tunes without a recipe, evaluates what came of it and shows the run', () => {
  const folder = temporaryFolder();
  const out = join(folder, 'classifier');
  const small = ['optim.epochs=1', 'optim.batchSize=8', 'data.imageSize=32'];
  const common = [...data, '--threads', '1', '--json'];
  const trained = runTessera(['finetune', ...small, '--model', 'random:vit-ti:16', '--out', out, ...common]);
  expect(trained.code, trained.stderr).toBe(0);
  expect(lastJson(trained.stdout)).toMatchObject({
    run: out,
    steps: 1,
    metrics: { top1: expect.any(Number), meanPerClass: expect.any(Number) },
    intervals: { top1: [expect.any(Number), expect.any(Number)] },
    best: { step: 1 },
  });
  // The run is a model like any other.
  const judged = runTessera(['eval', 'knn', '--k', '1', '--model', out, ...common]);
  expect(judged.code, judged.stderr).toBe(0);
  const shown = runTessera(['runs', 'show', out]);
  expect(shown.stdout).toMatch(/finetune/);
});

it('says all that is wrong with the command line', () => {
  const { code, stderr } = runTessera(['finetune', '--weights', 'best']);
  expect(code).toBe(2);
  for (const part of ['--model is missing', '--train is missing', '--out is missing', '--weights: expected one of'])
    expect(stderr).toContain(part);
});
