import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/spec.js';
import { extractFeatures } from '../../../src/features/extract.js';
import { loadEncoder } from '../../../src/models/load-encoder.js';
import { type PretrainOptions, pretrain } from '../../../src/recipes/pretrain.js';
import { readEvents, readMetrics } from '../../../src/runs/event-log.js';
import { RunFolder } from '../../../src/runs/run-folder.js';
import { TesseraError } from '../../../src/support/errors.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { writeSafetensors } from '../../../src/tensor/safetensors.js';
import { liveTensors, scope } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const data = 'scenes://?split=train&count=20&size=32';

let before: number;
beforeEach(() => {
  before = liveTensors().tensors;
});
afterEach(() => expect(liveTensors().tensors).toBe(before));

/** Runs in a new folder, in which `start` is a run of CAPI. */
async function place() {
  const folder = temporaryFolder();
  const from = join(folder, 'start');
  await pretrain({ recipe: fixture('capi-test.yaml'), data, out: from, threads: 1, maxSteps: 1 });
  const out = (name: string) => join(folder, name);
  const refine = (name: string, more: Partial<PretrainOptions> = {}) =>
    pretrain({
      command: 'refine',
      recipe: fixture('refiner-test.yaml'),
      data,
      from,
      out: out(name),
      threads: 1,
      ...more,
    });
  return { folder, out, refine };
}

/** Everything that the steps of a run computed: losses, gradients and metrics of the heads. */
function computed(run: string): Map<number, Record<string, number>> {
  const measured = /^(imagesPerSecond|dataWait|residentBytes|liveTensors|knn.*)$/;
  return new Map(
    readMetrics(RunFolder.open(run)).flatMap(({ step, values }) => {
      if (values.loss === undefined) return [];
      return [[step, Object.fromEntries(Object.entries(values).filter(([key]) => !measured.test(key)))]];
    }),
  );
}

it('repeats an uninterrupted run bit for bit after a stop inside, between and inside its stages', async () => {
  const { out, refine } = await place();
  // A momentum encoder, a loss weight that changes, a head that is left behind and neighbours drawn by lot: all that a
  // checkpoint has to keep.
  const overrides = [
    'heads.momentum=0.9',
    'heads.on=[last, {block: 1, weight: [{until: 1, value: 1, to: 0}]}, 0]',
    'stages.refine.keepHeads=[last, block1]',
  ];
  await refine('whole', { overrides });
  const whole = computed(out('whole'));
  expect(whole.size).toBe(12);
  expect(Object.keys(whole.get(6)!)).toContain('headLoss.block0');
  expect(Object.keys(whole.get(12)!)).not.toContain('headLoss.block0');
  for (const maxSteps of [3, 6, 9]) {
    const name = `stopped-${maxSteps}`;
    expect((await refine(name, { overrides, maxSteps })).steps).toBe(maxSteps);
    expect((await refine(name, { overrides, resume: true })).steps).toBe(12);
    expect(computed(out(name))).toEqual(whole);
  }
});

it('leaves the encoder as it is while the heads are trained, and says so; then changes it', async () => {
  const { out, refine } = await place();
  await refine('run', { overrides: ['train.keepCheckpoints=9'] });
  const file = (step: number, part: string) =>
    readFileSync(join(out('run'), 'checkpoints', `step-${step}`, `${part}.safetensors`));
  expect(file(6, 'student').equals(file(2, 'student'))).toBe(true);
  expect(file(8, 'student').equals(file(6, 'student'))).toBe(false);
  expect(file(4, 'heads').equals(file(2, 'heads'))).toBe(false);
  const health = readEvents(RunFolder.open(out('run')).events).flatMap((event) =>
    event.type === 'health' ? [event.message] : [],
  );
  expect(health[2]).toContain('the encoder does not change in this stage');
  expect(health.at(-1)).toContain('encoder and heads learn');
});

/** Mean per class, in percent, of each row judged by the others: nearest ten by cosine, weighing exp(cosine / 0.07). */
function leaveOneOut(rows: readonly (readonly number[])[], labels: readonly number[]): number {
  const unit = rows.map((row) => row.map((value) => value / Math.hypot(...row)));
  const right = labels.map((label, own) => {
    const near = unit
      .map((row, other) => ({ other, cosine: row.reduce((sum, value, i) => sum + value * unit[own]![i]!, 0) }))
      .filter(({ other }) => other !== own)
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, 10);
    const votes = new Map<number, number>();
    for (const { other, cosine } of near)
      votes.set(labels[other]!, (votes.get(labels[other]!) ?? 0) + Math.exp(cosine / 0.07));
    return [...votes].sort((a, b) => b[1] - a[1])[0]![0] === label;
  });
  const classes = [...new Set(labels)];
  const share = (label: number) => {
    const own = right.filter((_, i) => labels[i] === label);
    return own.filter(Boolean).length / own.length;
  };
  return (100 * classes.reduce((sum, label) => sum + share(label), 0)) / classes.length;
}

it('follows the k-NN of blocks and heads on labelled images, which changes nothing', async () => {
  const { folder, out, refine } = await place();
  const overrides = ['watch.every=4', 'watch.images=30'];
  const watch = 'scenes://?split=test&count=60&size=32';
  await refine('followed', { overrides, watch });
  await refine('alone');
  expect(computed(out('followed'))).toEqual(computed(out('alone')));
  const measured = readMetrics(RunFolder.open(out('followed'))).filter(({ values }) => 'knnBlock.0' in values);
  expect(measured.map(({ step }) => step)).toEqual([0, 4, 8, 12]);
  expect(Object.keys(measured[0]!.values)).toEqual(['knnBlock.0', 'knnBlock.1', 'knnHead.last', 'knnHead.block0']);
  // The first stage leaves the encoder as it is.
  expect(measured[1]!.values['knnBlock.1']).toBe(measured[0]!.values['knnBlock.1']);
  const encoder = await loadEncoder(out('followed'), { weights: 'student' });
  const dataset = await openDataset(watch);
  const order = Array.from({ length: 30 }, (_, i) => 2 * i);
  const features = await extractFeatures({
    ...{ encoder, dataset, size: 32, view: 'resize-centre-crop', kinds: [] },
    blocks: { of: [1], kinds: ['patchMean'] },
  });
  const all = scope(() => features.blocks.get(1)!.patchMean_ND!.data());
  const rows = order.map((index) => [...all.slice(index * 16, index * 16 + 16)].map(Number));
  features.dispose();
  encoder.dispose();
  const truth = leaveOneOut(
    rows,
    order.map((index) => dataset.item(index).label!),
  );
  expect(measured.at(-1)!.values['knnBlock.1']).toBeCloseTo(truth, 6);
  writeFileSync(join(folder, 'files.txt'), `${fixture('cmyk-adobe.jpg')}\n`);
  await expect(refine('unlabelled', { watch: `list://${folder}/files.txt` })).rejects.toThrow('has no classes');
});

it('goes on from a run of the first stage, whose heads and queues it takes', async () => {
  const { out, refine } = await place();
  await refine('both');
  await refine('heads', { overrides: ['stage=heads'] });
  await refine('refined', { overrides: ['stage=refine'], from: out('heads') });
  const [both, refined] = [computed(out('both')), computed(out('refined'))];
  expect(refined.size).toBe(6);
  // The images of a step and the neighbours that are drawn differ; what the queue holds does not.
  expect(refined.get(1)!.queueFilled).toBe(both.get(7)!.queueFilled);
  await expect(refine('none', { overrides: ['stage=refine'] })).rejects.toThrow(
    'Expected a trained head "last" for stage=refine, found none.',
  );
});

it('refuses what does not fit before anything is written', async () => {
  const { folder, out, refine } = await place();
  const refused = async (overrides: string[], texts: string[], more: Partial<PretrainOptions> = {}) => {
    const error = await refine('refused', { overrides, ...more }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TesseraError);
    for (const text of texts) expect((error as TesseraError).message).toContain(text);
    expect((error as TesseraError).hint).toBeTruthy();
    expect(readdirSync(folder)).not.toContain('refused');
  };
  await refused(
    ['heads.on=[last, 2]', 'data.localSize=20', 'heads.queueSize=4', 'heads.pool=class'],
    [
      'heads.on: expected blocks 0 to 1 of this encoder, received 2 (head block2)',
      'data.localSize: expected a multiple of the encoder’s patch size 8, received 20; the nearest is 24',
      'heads.queueSize: expected at least optim.batchSize 8, received 4: the queue would not hold one step',
      'heads.pool: expected patches, as this encoder has no class token, received class (last, block2)',
    ],
  );
  await refused(['optim.batchSize=1'], ['optim.batchSize: expected', '≥ 2, received 1']);
  await refused([], ['Expected a PyTorch file'], { from: fixture('cmyk-adobe.jpg') });
  const resnet = join(folder, 'resnet.safetensors');
  scope(() => writeSafetensors(resnet, new Map([['layer1.0.conv1.weight', ops.zeros([4, 4, 3, 3], 'float32')]])));
  await refused([], ['layer1.0.conv1.weight'], { from: resnet });
  await refused([], ['Expected --from with the encoder to refine, received none.'], { from: undefined });
  await refused(
    ['heads.on=[last]', 'data.imageSize=64', 'data.localSize=32'],
    ['data.imageSize: expected 16, the only size that this encoder takes, received 64', 'data.localViews: expected 0'],
    { from: fixture('encoders/beit.pth?heads=4') },
  );
  mkdirSync(out('empty'));
  await refused([], [out('empty')], { from: out('empty') });
  await refused([], ['is one for tessera pretrain'], { recipe: fixture('capi-test.yaml') });
});

it('refuses to go on with other images or another recipe, and loses nothing', async () => {
  const { out, refine } = await place();
  await refine('run', { maxSteps: 4 });
  cpSync(out('run'), out('copy'), { recursive: true });
  const others = 'scenes://?split=train&count=21&size=32';
  await expect(refine('run', { resume: true, data: others })).rejects.toThrow('was trained on other images');
  await expect(refine('run', { resume: true, overrides: ['heads.temperature=0.3'] })).rejects.toThrow(
    'heads.temperature: the run has 0.2, now 0.3',
  );
  await expect(refine('run')).rejects.toThrow('there is a run');
  writeFileSync(join(out('copy'), 'status.json'), readFileSync(join(out('run'), 'status.json')));
  expect((await refine('run', { resume: true })).steps).toBe(12);
  await refine('copy', { resume: true });
  expect(computed(out('run'))).toEqual(computed(out('copy')));
});
