import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { infiniteSampler } from '../../../src/data/infinite-sampler.js';
import { ProbeHeads } from '../../../src/evals/probe/probe-heads.js';
import { closedWarmupCosine, openWarmupCosine, warmupCosine } from '../../../src/optim/schedule.js';
import { generatorPermutation } from '../../../src/support/numpy-random.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { scope, Tensor } from '../../../src/tensor/tensor.js';
import { expectClose, goldenJson, goldensFolder, goldenTensors, withPrefix } from '../../support/goldens.js';

interface Head {
  source: string;
  lr: number;
  wd: number;
}

interface Golden {
  sizes: {
    probe: { batch: number; dim: number; registers: number; classes: number; iters: number; warmup: number };
  };
  probe: {
    heads: (Head & { base_lr: number })[];
    n_train: number;
    losses: number[];
    lr_schedule: number[];
    val: (Head & { acc: number })[];
    test: (Head & { acc: number })[];
    best: Record<string, [number, number]>;
    default_lr_schedule: Record<string, number>;
  };
  split: { n: number };
  schedules: (Record<string, number> & { key: string })[];
  schedule_default: Record<string, Record<string, number>>;
  schedule_mim_l16_20_epochs: Record<string, number>;
  tolerances: Record<string, number>;
}

// Ours holds the keys about probes of the whole set, which has the short name.
const name = ['eval_tiny_probe', 'eval_tiny'].find((file) => existsSync(join(goldensFolder, `${file}.json`)));
if (name === undefined) console.warn(`skipped: no eval_tiny.json in ${goldensFolder}`);
const golden = name === undefined ? ({} as Golden) : goldenJson<Golden>(name);
const tensors = name === undefined ? new Map<string, Tensor>() : goldenTensors(name);
const at = (key: string): Tensor => {
  const tensor = tensors.get(key);
  if (!tensor) throw new Error(`no golden ${key}`);
  return tensor;
};
const integers = (key: string) => at(key).numbers();

describe.skipIf(name === undefined)('probes of the published code (eval_classification.py)', () => {
  const { sizes, probe, tolerances } = golden;
  const { dim, registers, batch, iters, warmup, classes } = sizes?.probe ?? {};
  const labels = (set: string, rows: number[]) => {
    const all = integers(`probe.${set}.labels`);
    return Int32Array.from(rows, (row) => all[row]!);
  };

  /** What the code makes of an encoder's tokens: the class token, registers, patches. */
  const features = (set: string, rows: number[]) =>
    scope(() => {
      const index = Tensor.from(Int32Array.from(rows), [rows.length]);
      const tokens = ops.indexSelect(at(`probe.${set}.tokens`), 0, index);
      const cls = ops.select(tokens, 1, 0);
      const objects = ops.narrow(tokens, 1, 1, registers);
      const patch = ops.narrow(tokens, 1, 1 + registers, tokens.size(1) - 1 - registers);
      const mean = ops.meanDim(patch, [1]);
      return new Map([
        ['cls', cls],
        ['avg_patch', mean],
        ['cls_avg_patch', ops.cat([cls, mean], 1)],
        ['avg_objects', ops.meanDim(objects, [1])],
        ['concat_objects', ops.flatten(objects, 1, 2)],
        ['reg', objects],
        ['patch', patch],
      ]);
    });

  /** Weights of one of the published classifiers, split as ours are. */
  const published = (kind: 'init' | 'final', index: number) => {
    const given = withPrefix(tensors, `probe.${kind}.${index}.`);
    const split: Record<string, Tensor> = { weight: given.get('linear.weight')!, bias: given.get('linear.bias')! };
    const query = given.get('query_token');
    if (query === undefined) return split;
    const attention = dim / 64;
    const half = (key: string, part: number) =>
      ops.unflatten(ops.narrow(given.get(key)!, 0, part * dim, dim), 0, [attention, 64]);
    return {
      ...split,
      query: ops.unflatten(query, 0, [attention, 64]),
      key_weight: half('kv.weight', 0),
      value_weight: half('kv.weight', 1),
      value_bias: half('kv.bias', 1),
    };
  };
  const placesOf = (source: string) => probe.heads.flatMap((head, place) => (head.source === source ? [place] : []));
  const stacked = (kind: 'init' | 'final', source: string) => {
    const heads = placesOf(source).map((place) => published(kind, place));
    return new Map(Object.keys(heads[0]!).map((key) => [key, ops.stack(heads.map((head) => head[key]!))]));
  };

  it('splits as NumPy does, and takes batches as the sampler does', () => {
    expect([...generatorPermutation(golden.split.n, 42)]).toEqual(integers(`split.default_rng42_n${golden.split.n}`));
    const split = integers('probe.split');
    expect([...generatorPermutation(split.length, 42)]).toEqual(split);
    const sampler = infiniteSampler({ size: probe.n_train, seed: 42 });
    const taken = Array.from({ length: batch * iters }, () => split[sampler.next().value!]);
    expect(taken).toEqual(integers('probe.batches'));
  });

  it('makes the published features of the first batch', () => {
    const made = features('train', integers('probe.batches').slice(0, batch));
    for (const [source, x] of made) expectClose(x, at(`probe.step0.feature.${source}`), 1e-6, source);
  });

  it('trains all heads at once to the published weights, and chooses the published ones', () => {
    scope(() => {
      const example = features('train', [0]);
      using generator = new Generator(0);
      const heads = new ProbeHeads({
        protocol: 'capi',
        heads: probe.heads.map(({ source, lr, wd }) => ({ source, lr, weightDecay: wd })),
        example,
        classes,
        batchSize: batch,
        steps: iters,
        warmupSteps: warmup,
        generator,
      });
      const sources = [...example.keys()];
      for (const source of sources) heads.bank(source).load(stacked('init', source));
      const batches = integers('probe.batches');
      for (let step = 0; step < iters; step++) {
        const rows = batches.slice(step * batch, (step + 1) * batch);
        const x = features('train', rows);
        if (step === 0) {
          for (const source of sources) {
            const places = Tensor.from(Int32Array.from(placesOf(source)), [placesOf(source).length]);
            const expected = ops.transpose(ops.indexSelect(at('probe.step0.logits'), 2, places), 1, 2);
            expectClose(
              heads.bank(source).forward(x.get(source)!),
              expected,
              tolerances['probe.step0.logits']!,
              source,
            );
          }
        }
        const loss = heads.train(x, labels('train', rows), step);
        expect(Math.abs(loss / probe.losses[step]! - 1), `loss ${step}`).toBeLessThan(tolerances['probe.losses']!);
      }
      for (const source of sources) {
        const state = heads.bank(source).state();
        // The tolerance is one of a tensor of one head.
        for (const [i, place] of placesOf(source).entries()) {
          for (const [key, expected] of Object.entries(published('final', place))) {
            expectClose(ops.select(state.get(key)!, 0, i), expected, 1e-5, `${source} ${i} ${key}`);
          }
        }
      }
      const accuracy = (set: string, rows: number[]) => {
        const truth = labels(set, rows);
        const right = (row: Int32Array) => row.filter((label, i) => label === truth[i]).length / rows.length;
        return heads.predict(features(set, rows)).map(right);
      };
      const val = accuracy('train', integers('probe.split').slice(probe.n_train));
      for (const [place, acc] of val.entries()) expect(acc, `val ${place}`).toBeCloseTo(probe.val[place]!.acc, 5);
      const test = accuracy('test', [...integers('probe.test.labels').keys()]);
      for (const { source, lr, wd, acc } of probe.test) {
        const place = probe.heads.findIndex((head) => head.source === source && head.lr === lr && head.wd === wd);
        expect(test[place], `test of ${source}`).toBeCloseTo(acc, 5);
      }
      heads.dispose();
    });
  });

  it('follows the published learning rates', () => {
    const schedule = closedWarmupCosine({ steps: iters, warmupSteps: warmup });
    for (const [step, value] of probe.lr_schedule.entries()) expect(schedule(step)).toBeCloseTo(value, 12);
    const long = closedWarmupCosine({ steps: 12_500, warmupSteps: 1250 });
    for (const [step, value] of Object.entries(probe.default_lr_schedule)) {
      expect(Math.abs(long(Number(step)) - value), step).toBeLessThan(1e-12);
    }
  });
});

describe.skipIf(name === undefined)('schedules of the published code', () => {
  const tolerance = golden.tolerances?.['schedule.*'] ?? 0;
  const expectValues = (schedule: (step: number) => number, expected: readonly number[]) => {
    for (const [step, value] of expected.entries()) {
      expect(Math.abs(schedule(step) - value), `${step}`).toBeLessThan(tolerance);
    }
  };

  for (const { key, ...given } of golden.schedules ?? []) {
    it(`${key} is repeated`, () => {
      const { total_iters, updates_per_epoch = 0, epochs = 0, warmup_epoch = 0, warmup_percent } = given;
      if (key.includes('capi')) {
        const schedule = warmupCosine({
          start: given.start_warmup_value ?? 0,
          base: given.base_value!,
          final: given.final_value!,
          steps: total_iters!,
          warmupSteps: given.warmup_iters!,
          freezeSteps: given.freeze_iters ?? 0,
          truncate: given.truncate_cos ?? 1,
        });
        return expectValues(schedule, integers(key));
      }
      const steps = updates_per_epoch * epochs;
      const warmupSteps =
        warmup_percent === undefined ? warmup_epoch * updates_per_epoch : Math.trunc(warmup_percent * (steps - 1));
      const schedule = openWarmupCosine({ peak: given.max_value!, end: given.end_value!, steps, warmupSteps });
      expectValues(schedule, integers(key));
    });
  }

  it('has the values of the full runs', () => {
    const capi: Record<string, { start?: number; base: number; final: number }> = {
      lr: { base: 1e-3, final: 0 },
      clustering_lr: { base: 5e-4, final: 0 },
      momentum: { start: 1, base: 0.999, final: 1 },
    };
    for (const [kind, values] of Object.entries(golden.schedule_default)) {
      const schedule = warmupCosine({ ...capi[kind]!, steps: 500_000, warmupSteps: 50_000, truncate: 0.8 });
      for (const [step, value] of Object.entries(values)) {
        expect(Math.abs(schedule(Number(step)) - value), `${kind} ${step}`).toBeLessThan(tolerance);
      }
    }
    const refined = openWarmupCosine({ peak: 1.6e-3, end: 1e-6, steps: 25_020, warmupSteps: 5004 });
    for (const [step, value] of Object.entries(golden.schedule_mim_l16_20_epochs)) {
      expect(Math.abs(refined(Number(step)) - value), step).toBeLessThan(tolerance);
    }
  });
});
