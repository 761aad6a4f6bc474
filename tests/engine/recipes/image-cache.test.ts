import { join } from 'node:path';
import { expect, it } from 'vitest';
import { pretrain as pretrainCommand } from '../../../src/cli/actions/pretrain.js';
import { pretrain } from '../../../src/recipes/pretrain.js';
import { readEvents, readMetrics } from '../../../src/runs/event-log.js';
import { RunFolder } from '../../../src/runs/run-folder.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const data = 'scenes://?split=train&count=16&size=32';
const tiny = [
  ...['model.width=48', 'model.depth=2', 'model.heads=3', 'model.predictor.depth=1', 'data.imageSize=32'],
  ...['capi.prototypes=16', 'optim.batchSize=8', 'optim.steps=6', 'optim.warmupSteps=1', 'train.logEvery=1'],
  ...['train.checkpointEvery=2', 'data.workers=1'],
];

async function run(out: string, overrides: readonly string[], rest: { resume?: boolean; maxSteps?: number } = {}) {
  await pretrain({ recipe: 'capi-tiny-cpu', overrides: [...tiny, ...overrides], data, out, threads: 1, ...rest });
  const folder = RunFolder.open(out);
  return {
    losses: readMetrics(folder).map(({ step, values }) => [step, values.loss]),
    kept: readEvents(folder.events).flatMap((event) =>
      event.type === 'cache' ? [{ step: event.step, images: event.images, bytes: event.bytes }] : [],
    ),
  };
}

it('images kept in memory change no loss, also of a run that began without, and are counted in the log', async () => {
  const folder = temporaryFolder();
  const plain = await run(join(folder, 'plain'), []);
  const cached = await run(join(folder, 'cached'), ['data.cache=memory']);
  expect(plain.losses).toHaveLength(6);
  expect(cached.losses).toEqual(plain.losses);
  expect(plain.kept).toEqual([]);
  expect(cached.kept).toEqual([{ step: 2, images: 16, bytes: 16 * 32 * 32 * 3 }]);

  const parts = join(folder, 'parts');
  await run(parts, [], { maxSteps: 3 });
  expect((await run(parts, ['data.cache=memory'], { resume: true })).losses).toEqual(plain.losses);
});

it('a dry run tells what the decoded images will take', async () => {
  const options = { command: 'pretrain', recipe: 'capi-tiny-cpu', data, out: 'nowhere', dryRun: true } as const;
  const nothing = { from: undefined, device: undefined, threads: 1, workers: 1, seed: undefined, maxSteps: undefined };
  const dry = await pretrainCommand({
    ...{ ...options, ...nothing, resume: false },
    overrides: [...tiny, 'data.cache=memory'],
  });
  expect(dry.json).toMatchObject({ cacheBytes: 16 * 32 * 32 * 3 });
  expect(dry.card).toContain('about 49.2 kB of decoded images');
});
