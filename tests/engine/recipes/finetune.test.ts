import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import { type PretrainOptions, pretrain } from '../../../src/recipes/pretrain.js';
import { metricsOf, readEvents } from '../../../src/runs/event-log.js';
import { evaluationsOf } from '../../../src/runs/list-runs.js';
import { RunFolder } from '../../../src/runs/run-folder.js';
import { liveTensors } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const train = 'scenes://?split=train&count=40&size=32';
const test = 'scenes://?split=test&count=24&size=32';

/** Everything that can be drawn is drawn: mixes, boxes, paths. */
const recipe = `method: finetune
data: { imageSize: 32, workers: 1, erase: 0.5 }
model: { dropPath: 0.3 }
optim: { epochs: 3, warmupEpochs: 1, batchSize: 8, accumulate: 2, lr: 1.0e-2 }
judgeEvery: 2
train: { logEvery: 1, checkpointEvery: 5 }
`;

const encoder = `method: capi
model: { width: 16, depth: 2, heads: 2, patchSize: 8, registers: 4, predictor: { depth: 1 } }
data: { imageSize: 32, workers: 1 }
mask: { predict: 0.5 }
capi: { prototypes: 16, balance: pooled }
optim: { steps: 2, batchSize: 8, warmupSteps: 1 }
`;

function written(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** A folder with a pre-trained encoder, and how to fine-tune it there. */
async function prepared() {
  const { folder, run } = untrained();
  const from = join(folder, 'encoder');
  const data = 'scenes://?split=train&count=16&size=32';
  await pretrain({ recipe: written(folder, 'encoder.yaml', encoder), data, out: from, threads: 1 });
  return { folder, from, run: (name: string, more: Partial<PretrainOptions> = {}) => run(name, { from, ...more }) };
}

/** How to fine-tune a random encoder. */
function untrained() {
  const folder = temporaryFolder();
  const path = written(folder, 'finetune.yaml', recipe);
  const shared = { command: 'finetune', recipe: path, data: train, test, from: 'random:vit-ti:8', threads: 1 } as const;
  const run = (name: string, more: Partial<PretrainOptions> = {}) =>
    pretrain({ ...shared, out: join(folder, name), ...more });
  return { folder, run };
}

function losses(out: string) {
  return metricsOf(readEvents(RunFolder.open(out).events)).map(({ step, values }) => [
    step,
    ...['loss', 'accuracy', 'gradientNorm', 'lr.all'].map((name) => values[name]),
  ]);
}

describe('a fine-tuning run', () => {
  it('goes on bit for bit after a stop, judges the test images and leaves an encoder', async () => {
    const before = liveTensors().tensors;
    const { folder, run } = await prepared();
    const whole = await run('whole');
    expect(whole).toMatchObject({ steps: 15, judged: { step: 15, counts: { testImages: 24, brokenImages: 0 } } });
    const all = losses(join(folder, 'whole'));
    expect(all.length).toBe(15);

    expect(await run('parts', { maxSteps: 7 })).toMatchObject({ steps: 7 });
    const rest = await run('parts', { resume: true, from: undefined });
    expect(losses(join(folder, 'parts'))).toEqual(all);
    expect(rest.judged).toEqual(whole.judged);

    const looks = evaluationsOf(readEvents(RunFolder.open(join(folder, 'parts')).events));
    expect(looks.map(({ step, task }) => [step, task])).toEqual([
      [10, 'finetune'],
      [15, 'finetune'],
    ]);
    expect(looks.at(-1)!.metrics).toEqual(whole.judged!.metrics);
    const classes = JSON.parse(readFileSync(join(folder, 'parts', 'classes.json'), 'utf8')) as string[];
    expect(classes.length).toBeGreaterThan(2);
    expect(new Set(classes).size).toBe(classes.length);
    // A run that is finished is judged again, and nothing else.
    expect((await run('parts', { resume: true })).judged).toEqual(whole.judged);

    const loaded = await loadEncoder(join(folder, 'parts'));
    expect(loaded).toMatchObject({ width: 16, depth: 2, patchSize: 8 });
    loaded.dispose();
    expect(liveTensors().tensors).toBe(before);
  }, 300_000);

  it('starts from an untrained encoder, or the student of a run', async () => {
    const { folder, from, run } = await prepared();
    for (const [name, more] of Object.entries({
      trained: {},
      student: { weights: 'student' },
      untrained: { from: `random:${from}` },
    } as const))
      await run(name, { maxSteps: 1, test: undefined, ...more });
    const first = (name: string) => losses(join(folder, name))[0]![3];
    expect(new Set(['trained', 'student', 'untrained'].map(first)).size).toBe(3);
  }, 300_000);

  it('refuses what does not fit before anything is written', async () => {
    const { folder, run } = untrained();
    const refused = async (more: Partial<PretrainOptions>, text: string | RegExp) => {
      await expect(run('refused', more)).rejects.toThrow(text);
      expect(existsSync(join(folder, 'refused'))).toBe(false);
    };
    await refused({ from: undefined }, 'Expected --model with the encoder to finetune, received none');
    await refused({ from: 'random:vit-q' }, /did you mean|vit-/);
    await refused(
      { overrides: ['data.imageSize=30', 'model.pool=class'] },
      /multiple of the encoder’s patch size 8[\s\S]*model\.pool/,
    );
    await refused({ overrides: ['mix.mixop=1'] }, 'mix.mixup');
    await refused({ command: 'pretrain' }, 'is one for tessera finetune');
    const few = written(folder, 'few.txt', '');
    await refused({ data: `list://${few}` }, 'empty');
  }, 300_000);

  it('refuses test images of classes that it is not trained on', async () => {
    const { folder, run } = untrained();
    const names = ['a', 'b'].map((name) => written(folder, `${name}.png`, ''));
    const list = (file: string, labels: string[]) =>
      `list://${written(folder, file, names.map((name, i) => `${name}\t${labels[i]}`).join('\n'))}`;
    const [some, others, one] = [
      list('some.txt', ['cat', 'dog']),
      list('others.txt', ['cat', 'emu']),
      list('one.txt', ['cat', 'cat']),
    ];
    await expect(run('x', { data: some, test: others })).rejects.toThrow('found none of emu');
    await expect(run('x', { data: one, test: some })).rejects.toThrow('at least 2 classes');
    const unlabelled = `list://${written(folder, 'plain.txt', names.join('\n'))}`;
    await expect(run('x', { data: unlabelled })).rejects.toThrow('finetune needs class labels');
  }, 300_000);
});
