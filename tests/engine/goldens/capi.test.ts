import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Capi, type CapiBatch } from '../../../src/methods/capi/capi.js';
import { type CapiConfig, capiRecipe } from '../../../src/methods/capi/capi-config.js';
import { OnlineClustering } from '../../../src/methods/capi/online-clustering.js';
import { sinkhornKnopp } from '../../../src/methods/capi/sinkhorn-knopp.js';
import { capiNameFromPublished, publishedCapiName } from '../../../src/models/published/capi-names.js';
import { edgeCoordinates } from '../../../src/models/register-coordinates.js';
import type { Module } from '../../../src/nn/module.js';
import { parameterGroups } from '../../../src/optim/parameter-groups.js';
import { warmupCosine } from '../../../src/optim/schedule.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { scope, Tensor } from '../../../src/tensor/tensor.js';
import { trainStep } from '../../../src/train/train-step.js';
import { expectClose, goldenJson, goldenTensors, withPrefix } from '../../support/goldens.js';
import { publishedParts } from '../../support/published-network.js';

interface Golden {
  model: {
    patch_size: number;
    n_registers: number;
    transformers_kwargs: {
      embed_dim: number;
      drop_path_rate: number;
      block_kwargs: { attn_kwargs: { num_heads: number } };
    };
    encoder_kwargs: { depth: number };
    decoder_kwargs: { depth: number };
  };
  num_clusters: number;
  image: number;
  mask_ratio: number;
  prediction_subsampling: number;
  batch: number;
  steps: number;
  total_iters: number;
  warmup_iters: number;
  optim: Record<string, number> & { betas: [number, number] };
  student_temp: number;
  target_temp: number;
  pred_temp: number;
  n_sk_iter: number;
  param_groups: { lr_multiplier: number; wd_multiplier: number; params: string[] }[];
  log: {
    lr: number;
    clustering_lr: number;
    momentum: number;
    capi_loss: number;
    clustering_loss: number;
    target_entropy: number;
  }[];
  schedule_default: Record<string, [number, number]>;
}

const golden = goldenJson<Golden>('capi_tiny');
const tensors = goldenTensors('capi_tiny');
const at = (name: string) => {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no golden ${name}`);
  return tensor;
};
const optim = golden.optim as Record<string, number>;

const config: CapiConfig = capiRecipe.parse({
  method: 'capi',
  model: {
    width: golden.model.transformers_kwargs.embed_dim,
    depth: golden.model.encoder_kwargs.depth,
    heads: golden.model.transformers_kwargs.block_kwargs.attn_kwargs.num_heads,
    predictor: { depth: golden.model.decoder_kwargs.depth },
    patchSize: golden.model.patch_size,
    registers: golden.model.n_registers,
    dropPath: { rate: golden.model.transformers_kwargs.drop_path_rate },
  },
  data: { imageSize: golden.image },
  mask: { ratio: golden.mask_ratio, predict: golden.prediction_subsampling },
  capi: {
    prototypes: golden.num_clusters,
    studentTemperature: golden.student_temp,
    targetTemperature: golden.target_temp,
    predictionTemperature: golden.pred_temp,
    iterations: golden.n_sk_iter,
    lr: optim.cluster_lr,
  },
  optim: {
    steps: golden.total_iters,
    batchSize: golden.batch,
    lr: optim.lr,
    warmupSteps: golden.warmup_iters,
    truncateCosine: optim.truncate_cos,
    weightDecay: optim.wd,
    betas: golden.optim.betas,
    patchEmbedLr: optim.patch_embed_lr_mult,
    ropeLr: optim.rope_lr_mult,
    normWeightDecay: optim.layernorm_wd_mult,
    momentum: optim.momentum,
    startMomentum: optim.start_momentum,
  },
});

/** Loads the part of the goldens below a prefix into a module, by published names. */
function load(module: Module, prefix: string): void {
  const part = [...withPrefix(tensors, prefix)].map(([name, tensor]) => [capiNameFromPublished(name), tensor] as const);
  module.load(new Map(part));
}

function startingPoint(): Capi {
  const capi = new Capi(config);
  load(capi.student, 'init.student.');
  load(capi.teacher, 'init.student.');
  load(capi.clustering, 'init.teacher.head.');
  return capi;
}

function batchOf(step: number): CapiBatch {
  return {
    images_B3YX: at(`step${step}.images`),
    visible: at(`step${step}.visible_indices`),
    predict: at(`step${step}.predict_indices`),
  };
}

describe('CAPI against the published code', () => {
  let capi: Capi;
  beforeAll(() => {
    capi = startingPoint();
  });
  afterAll(() => capi.dispose());

  it.each(['square', 'wide', 'large'])('embeds %s images', (size) => {
    scope(() => {
      const embedding = capi.student.backbone.embed(at(`forward.${size}.image`));
      expectClose(embedding.global_BD, at(`forward.${size}.global`), 1e-4, 'global');
      expectClose(embedding.registers_BRD, at(`forward.${size}.registers`), 1e-4, 'registers');
      expectClose(embedding.patches_BYXD, at(`forward.${size}.patches`), 1e-4, 'patches');
    });
  });

  it('puts registers on the edge and makes the rotary frequencies', () => {
    scope(() => {
      const registers = Tensor.from(edgeCoordinates(golden.model.n_registers), [golden.model.n_registers, 2]);
      expectClose(registers, at('registers.coordinates'), 1e-6);
      using fresh = new Generator(0);
      const untouched = new Capi(config);
      expectClose(
        publishedParts(untouched.student).backbone.encoder.blocks[0]!.residual1.fn.rope!.freqs,
        at('rope.freqs'),
        1e-6,
      );
      untouched.dispose();
      void fresh;
    });
  });

  it('balances assignments position by position and pooled', () => {
    scope(() => {
      const scores = ops.div(at('sk.logits'), golden.target_temp);
      expectClose(sinkhornKnopp(scores, golden.n_sk_iter), at('sk.positionwise'), 1e-4);
      expectClose(sinkhornKnopp(ops.flatten(scores, 0, 1), golden.n_sk_iter), at('sk.pooled'), 1e-4);
    });
  });

  it('clusters pooled features', () => {
    scope(() => {
      using generator = new Generator(0);
      const pooled = new OnlineClustering({ ...config.capi, width: config.model.width!, balance: 'pooled' }, generator);
      pooled.load(capi.clustering.state());
      const { assignments_NBK, loss } = pooled.forward(at('clustering.pooled.input'));
      expectClose(assignments_NBK, at('clustering.pooled.assignments'), 1e-4, 'assignments');
      expect(Math.abs(loss.item() / at('clustering.pooled.loss').item() - 1)).toBeLessThanOrEqual(1e-4);
      pooled.dispose();
    });
  });

  it('groups parameters as published', () => {
    const groups = parameterGroups(capi.student.parameters(), 1, config.optim).map((group) => ({
      lr_multiplier: group.lrMultiplier,
      wd_multiplier: group.weightDecay,
      params: group.parameters.map(([name]) => publishedCapiName(name)).sort(),
    }));
    const expected = golden.param_groups.map((group) => ({ ...group, params: [...group.params].sort() }));
    const order = (a: { params: string[] }, b: { params: string[] }) => (a.params[0]! < b.params[0]! ? -1 : 1);
    expect(groups.sort(order)).toEqual(expected.sort(order));
  });

  it('follows the published schedules', () => {
    const steps = { steps: 500_000, warmupSteps: 50_000, truncate: 0.8 };
    const lr = warmupCosine({ base: 1e-3, final: 0, ...steps });
    const momentum = warmupCosine({ start: 1, base: 0.999, final: 1, ...steps });
    for (const [step, [expectedLr, expectedMomentum]] of Object.entries(golden.schedule_default)) {
      expect(lr(Number(step))).toBeCloseTo(expectedLr, 15);
      expect(momentum(Number(step))).toBeCloseTo(expectedMomentum, 13);
    }
  });
});

describe('CAPI training against the published code', () => {
  it('has the gradients of the first step, the losses of every step, and the weights after the last', () => {
    const capi = startingPoint();
    capi.student.trainable = true;
    for (let step = 0; step < golden.steps; step++) {
      const expected = golden.log[step]!;
      const values = trainStep(capi, [batchOf(step)], step, {
        measure: true,
        beforeUpdate: () => {
          if (step > 0) return;
          scope(() => {
            for (const [name, parameter] of capi.student.parameters()) {
              const key = `step0.grad.student.${publishedCapiName(name)}`;
              expectClose(parameter.grad!, at(key), 1e-4, key);
            }
            for (const [name, parameter] of capi.clustering.parameters()) {
              expectClose(parameter.grad!, at(`step0.grad.teacher.head.${name}`), 1e-4, name);
            }
          });
        },
      });
      expect(capi.optimizers.student.lr(step)).toBeCloseTo(expected.lr, 12);
      expect(capi.optimizers.clustering!.lr(step)).toBeCloseTo(expected.clustering_lr, 12);
      expect(capi.schedules(step).momentum).toBeCloseTo(expected.momentum, 12);
      const tolerance = step === 0 ? 1e-4 : 2e-3;
      expect(Math.abs(values.student! / expected.capi_loss - 1)).toBeLessThanOrEqual(tolerance);
      expect(Math.abs(values.clustering! / expected.clustering_loss - 1)).toBeLessThanOrEqual(tolerance);
      expect(Math.abs(values.targetEntropy! / expected.target_entropy - 1)).toBeLessThanOrEqual(tolerance);
    }
    const final = (module: Module, prefix: string) => {
      for (const [name, parameter] of module.parameters()) {
        const key = `${prefix}${publishedCapiName(name)}`;
        expectClose(parameter, at(key), 2e-3, key);
      }
    };
    final(capi.student, 'final.student.');
    final(capi.teacher, 'final.student_ema.');
    final(capi.clustering, 'final.teacher.head.');
    capi.dispose();
  });
});
