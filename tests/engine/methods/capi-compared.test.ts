import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Capi, type CapiBatch } from '../../../src/methods/capi/capi.js';
import { capiRecipe } from '../../../src/methods/capi/capi-config.js';
import { readSafetensors } from '../../../src/tensor/safetensors.js';
import { liveTensors, scope, type Tensor } from '../../../src/tensor/tensor.js';
import { trainStep } from '../../../src/train/train-step.js';
import { expectClose, withPrefix } from '../../support/goldens.js';

type Case = { predictor?: string; positions?: string; head?: string; loss?: string; predictor_width?: number };
type Fixture = Record<string, number> & {
  cases: Record<string, Case>;
  losses: Record<string, { student: number; clustering?: number }>;
};

const fixture = (file: string) => fileURLToPath(new URL(`../../fixtures/capi-compared/${file}`, import.meta.url));
const sizes = JSON.parse(readFileSync(fixture('steps.json'), 'utf8')) as Fixture;

function method({ predictor, positions, head, loss, predictor_width }: Case): Capi {
  const { width, depth, heads, patch, registers, predictor_depth, prototypes } = sizes;
  const own = { width: predictor_width ?? sizes.predictor_width, depth: predictor_depth, kind: predictor };
  const model = { width, depth, heads, patchSize: patch, registers, positions, dropPath: { rate: 0 } };
  const [student, target, prediction] = ['student', 'target', 'prediction'].map((name) => sizes[`${name}_temperature`]);
  return new Capi(
    capiRecipe.parse({
      method: 'capi',
      model: { ...model, predictor: predictor === 'fused' ? { kind: 'fused' } : own },
      data: { imageSize: sizes.image },
      optim: { steps: 100, batchSize: 8, warmupSteps: 10 },
      capi: {
        ...{ prototypes, loss, head, iterations: sizes.iterations },
        ...{ studentTemperature: student, targetTemperature: target, predictionTemperature: prediction },
        mlp: { hidden: sizes.hidden, bottleneck: sizes.bottleneck },
      },
    }),
  );
}

describe.each(Object.keys(sizes.cases))('a step of CAPI with %s against plain PyTorch', (name) => {
  let golden: Map<string, Tensor>;
  let batch: CapiBatch;
  let capi: Capi;

  beforeAll(() => {
    golden = readSafetensors(fixture('steps.safetensors'));
    batch = {
      images_B3YX: golden.get('images')!,
      visible: golden.get('visible')!,
      predict: golden.get('predict')!,
    };
    capi = method(sizes.cases[name]!);
  });
  afterAll(() => {
    for (const tensor of golden.values()) tensor.dispose();
    capi.dispose();
  });

  it('has the same losses and gradients', () => {
    const student = withPrefix(golden, `${name}.student.`);
    const frozen = /rope\.freqs$/;
    const own = [...capi.student.state()].filter(([key]) => frozen.test(key));
    expect([...student.keys(), ...own.map(([key]) => key)].sort()).toEqual([...capi.student.state().keys()].sort());
    capi.student.load(new Map([...own, ...student]));
    // Of the teacher the fixture has what its targets come from.
    capi.teacher.load(new Map([...capi.teacher.state(), ...withPrefix(golden, `${name}.teacher.`)]));
    const clustering = withPrefix(golden, `${name}.clustering.`);
    if (clustering.size > 0) capi.clustering.load(clustering);
    const expected = sizes.losses[name]!;
    scope(() => {
      const { losses } = capi.step(batch, { step: 0, measure: true, backward: (loss) => loss.backward() });
      expect(Object.keys(losses).sort()).toEqual(Object.keys(expected).sort());
      for (const [key, loss] of Object.entries(losses))
        expect(Math.abs(loss.item() / expected[key as 'student']! - 1), key).toBeLessThan(1e-5);
    });
    for (const [key, parameter] of capi.student.parameters())
      if (parameter.requiresGrad) expectClose(parameter.grad!, golden.get(`${name}.gradient.${key}`)!, 1e-4, key);
  });
});

describe.each(Object.entries(sizes.cases))('CAPI with %s', (_, changes) => {
  it('trains, says how it goes, is restored, and leaves no tensor behind', () => {
    const outside = liveTensors().tensors;
    const [capi, again] = [method(changes), method(changes)];
    const images = Uint8Array.from({ length: 8 * 16 * 16 * 3 }, (_, i) => (i * 31) % 251);
    const losses: number[] = [];
    let latest: Record<string, number> = {};
    for (let step = 0; step < 60; step++) {
      const batch = capi.makeBatch({ images, size: 8 }, 0);
      latest = trainStep(capi, [batch], step, { measure: step === 59 });
      losses.push(latest.student!);
      capi.disposeBatch(batch);
    }
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    expect(capi.health(latest).text).toContain('feature spread');
    expect(capi.health(latest).text.includes('prototypes')).toBe(changes.loss !== 'i-jepa');
    scope(() => {
      again.restore(capi.state());
      const image = capi.makeBatch({ images, size: 8 }, 0).images_B3YX;
      for (const which of ['student', 'teacher'] as const) {
        const [ours, theirs] = [capi, again].map(({ encoders }) => encoders[which].embed(image).global_BD);
        expectClose(ours!, theirs!, 0);
        expect(ours!.shape).toEqual([8, changes.predictor_width && !changes.predictor && !changes.positions ? 16 : 8]);
      }
    });
    for (const each of [capi, again]) each.dispose();
    expect(liveTensors().tensors).toBe(outside);
  });
});

it('refuses predictors and losses that do not fit each other, all at once', () => {
  const bad = { predictor: 'fused', loss: 'i-jepa', head: 'mlp' };
  expect(() => method(bad)).toThrow(/capi\.head: expected linear/);
  expect(() => method({ loss: 'ibot', predictor_width: 16 })).toThrow(
    /model\.predictor\.width: expected the encoder’s 8/,
  );
  const recipe = { method: 'capi', model: { preset: 'vit-s', predictor: { kind: 'fused', depth: 2 } } };
  expect(() => new Capi(capiRecipe.parse(recipe))).toThrow(/model\.predictor\.depth: expected none/);
});
