import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Finetune } from '../../../../src/methods/finetune/finetune.js';
import { finetuneRecipe } from '../../../../src/methods/finetune/finetune-config.js';
import { type Mix, mixedTargets, mixImages } from '../../../../src/methods/finetune/mix-images.js';
import { loadWeights } from '../../../../src/models/load-weights.js';
import { readSafetensors } from '../../../../src/tensor/safetensors.js';
import { liveTensors, scope, Tensor } from '../../../../src/tensor/tensor.js';
import { trainStep } from '../../../../src/train/train-step.js';
import { expectClose } from '../../../support/goldens.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../../fixtures/finetune/${name}`, import.meta.url));

interface Steps {
  losses: number[];
  mixes: { share: number; box?: [top: number, left: number, height: number, width: number] }[];
}
/** Three steps of timm 1.0.31 and PyTorch in float64 (tests/fixtures/finetune/make_finetune.py). */
const recorded = JSON.parse(readFileSync(fixture('steps.json'), 'utf8')) as Record<'token' | 'avg', Steps>;

const [CLASSES, SIZE, BATCH] = [5, 16, 4];

function batchAt(step: number, mix: Mix) {
  return scope(() => {
    const values = Float64Array.from(
      { length: BATCH * 3 * SIZE * SIZE },
      (_, i) => ((i * 37 + step * 1013) % 101) / 50 - 1,
    );
    const labels = Int32Array.from({ length: BATCH }, (_, i) => (3 * i + step) % CLASSES);
    return {
      images_B3YX: mixImages(Tensor.from(values, [BATCH, 3, SIZE, SIZE]), mix),
      targets_BC: mixedTargets(labels, CLASSES, 0.1, mix.share),
    };
  });
}

/** The head's tensors, which loading leaves out. */
function headOf(file: string): Map<string, Tensor> {
  const all = readSafetensors(file);
  const head = new Map(
    [...all].flatMap(([name, tensor]) => (name.startsWith('head.') ? [[name.slice(5), tensor] as const] : [])),
  );
  for (const tensor of all.values()) if (![...head.values()].includes(tensor)) tensor.dispose();
  return head;
}

it.each([
  ['class', 'token'],
  ['patches', 'avg'],
] as const)('takes the steps of timm: %s', async (pool, file) => {
  const before = liveTensors().tensors;
  const { losses, mixes } = recorded[file];
  const config = finetuneRecipe.parse({
    method: 'finetune',
    data: { imageSize: SIZE },
    model: { pool, dropPath: 0 },
    // 4 images a step: 4 / 256 of the rate, which timm's run had whole.
    optim: { epochs: 3, warmupEpochs: 1, batchSize: BATCH, lr: (2e-2 * 256) / BATCH, precision: 'float64' },
  });
  const path = `${fixture(`steps-${file}-before.safetensors`)}?heads=2&family=timm`;
  using start = await loadWeights(path, ['teacher']);
  const method = new Finetune(config, { encoder: start.encoder, classes: CLASSES, images: BATCH });
  method.warmStart(start.parts);
  const head = headOf(fixture(`steps-${file}-before.safetensors`));
  method.head.load(head);
  for (const [step, mix] of mixes.entries()) {
    const [top, left, height, width] = mix.box ?? [];
    const batch = batchAt(step, {
      share: mix.share,
      ...(mix.box && { box: { top: top!, left: left!, height: height!, width: width! } }),
    });
    const { total } = trainStep(method, [batch], step, { measure: false });
    expect(total).toBeCloseTo(losses[step]!, 8);
    method.disposeBatch(batch);
  }
  using end = await loadWeights(path.replace('before', 'after'), ['teacher']);
  const trained = method.student.state();
  for (const [name, expected] of end.parts.get('teacher')!) {
    // Keys' biases have no gradient but rounding noise, which AdamW amplifies.
    if (!name.endsWith('k_proj.bias')) expectClose(trained.get(name)!, expected, 1e-6, name);
  }
  const headAfter = headOf(fixture(`steps-${file}-after.safetensors`));
  for (const [name, expected] of headAfter) expectClose(method.head.state().get(name)!, expected, 1e-6, `head.${name}`);
  for (const tensor of [...head.values(), ...headAfter.values()]) tensor.dispose();
  method.dispose();
  start.dispose();
  end.dispose();
  expect(liveTensors().tensors).toBe(before);
});
