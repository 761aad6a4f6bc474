// The worked numbers of the specification: the published code in float64 on weights and images made by a formula.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Capi, type CapiBatch } from '../../../src/methods/capi/capi.js';
import { capiRecipe } from '../../../src/methods/capi/capi-config.js';
import { crossEntropy, meanEntropy } from '../../../src/methods/capi/cross-entropy.js';
import { OnlineClustering } from '../../../src/methods/capi/online-clustering.js';
import { sinkhornKnopp } from '../../../src/methods/capi/sinkhorn-knopp.js';
import { patchify } from '../../../src/models/patches.js';
import { publishedCapiName } from '../../../src/models/published/capi-names.js';
import type { Module } from '../../../src/nn/module.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../../src/tensor/tensor.js';
import { trainStep } from '../../../src/train/train-step.js';
import { publishedParts } from '../../support/published-network.js';

const PROTOTYPES = 8;
const WIDTH = 32;

function makeCapi(precision: 'float32' | 'float64'): Capi {
  const config = capiRecipe.parse({
    method: 'capi',
    model: { width: WIDTH, depth: 2, heads: 2, patchSize: 14, predictor: { depth: 2 }, dropPath: { rate: 0 } },
    data: { imageSize: 56 },
    capi: { prototypes: PROTOTYPES, lr: 5e-3 },
    optim: { steps: 10, batchSize: 2, lr: 1e-2, warmupSteps: 3, momentum: 0.9, precision },
  });
  const capi = new Capi(config);
  fillBackbone(capi.student.backbone);
  fill(publishedParts(capi.student).head.lastLayer.weightV, (i) => Math.cos(0.9 * i));
  capi.teacher.load(capi.student.state());
  fill(capi.clustering.layer.weight, (i) => Math.sin(1.7 * i + 0.3));
  fill(capi.clustering.layer.bias, () => 0);
  return capi;
}

/** Element i of the k-th tensor is a sine of both, rounded to float32. */
function fillBackbone(backbone: Module): void {
  const place = (name: string) =>
    ['mask_token', 'registers', 'encoder.', 'decoder.', 'patch_embed.'].findIndex((part) => name.startsWith(part));
  const named = [...backbone.parameters('backbone.')]
    .map(([name, parameter]) => [publishedCapiName(name).replace('backbone.', ''), parameter] as const)
    .filter(([name]) => !name.endsWith('rope.freqs'))
    .sort(([a], [b]) => place(a) - place(b));
  expect(named).toHaveLength(36);
  for (const [k, [name, parameter]] of named.entries()) {
    const wave = (i: number) => Math.sin(0.37 * i + 1.1 * k + 0.5);
    fill(parameter, name.endsWith('norm.weight') ? (i) => 1 + 0.1 * wave(i) : (i) => 0.2 * wave(i));
  }
}

function fill(parameter: Tensor, value: (i: number) => number): void {
  scope(() =>
    noGrad(() =>
      ops.copy_(
        parameter,
        Tensor.from(
          Float32Array.from({ length: parameter.length }, (_, i) => value(i)),
          parameter.shape,
        ),
      ),
    ),
  );
}

function images(shape: readonly [number, number, number, number], dtype: 'float32' | 'float64'): Tensor {
  const length = shape.reduce((a, b) => a * b);
  const values = Float32Array.from({ length }, (_, i) => Math.sin(0.013 * i) + 0.5 * Math.cos(0.0007 * i));
  return scope(() => ops.to(Tensor.from(values, shape), dtype));
}

const indices = (values: number[]) => Tensor.from(BigInt64Array.from(values, BigInt), [values.length]);
const absoluteSum = (tensor: Tensor) => tensor.numbers().reduce((sum, value) => sum + Math.abs(value), 0);

/** Every value within an absolute and relative tolerance of what is expected. */
function near(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(actual[i]! - value), `value ${i}: ${actual[i]} against ${value}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(value)),
    );
  }
}

const VISIBLE = [0, 1, 4, 5, 7, 8, 18, 19, 22, 26, 27, 31];
const PREDICT = [15, 2, 9, 16, 28, 21];

describe.each(['float32', 'float64'] as const)('CAPI on formula weights in %s', (dtype) => {
  const tolerance = dtype === 'float64' ? 1e-6 : 1e-5;
  let capi: Capi;
  let batch: CapiBatch;
  beforeAll(() => {
    capi = makeCapi(dtype);
    batch = { images_B3YX: images([2, 3, 56, 56], dtype), visible: indices(VISIBLE), predict: indices(PREDICT) };
  });
  afterAll(() => capi.dispose());

  it('A: embeds an image', () => {
    scope(() => {
      const { global_BD, registers_BRD, patches_BYXD } = capi.student.backbone.embed(images([1, 3, 56, 42], dtype));
      near(
        global_BD.numbers(),
        [-0.930318417, 1.17153245, -1.26438999, 1.38524354, -1.14035216, 1.40415893],
        tolerance,
      );
      near([absoluteSum(global_BD)], [29.180672938], tolerance);
      near(registers_BRD.numbers(), [0.834018432, 1.81699892, -0.275639785], tolerance);
      near(registers_BRD.numbers().slice(15 * WIDTH), [0.489436234, -0.847142531, -1.25190007], tolerance);
      near([absoluteSum(registers_BRD)], [446.455472136], tolerance);
      const map = patches_BYXD.numbers();
      near(map, [0.313540803, 0.708360764, 1.69897068], tolerance);
      near(map.slice(WIDTH), [0.743244459, 0.701091881, 1.57012019], tolerance);
      near(map.slice(11 * WIDTH), [0.478460269, 1.7974038, 0.642428507], tolerance);
      near([absoluteSum(patches_BYXD)], [319.319961742], tolerance);
    });
  });

  it('B: encodes visible patches and predicts masked ones', () => {
    scope(() => {
      const { backbone } = publishedParts(capi.student);
      const patches = patchify(batch.images_B3YX, 14);
      const { tokens_BTD } = backbone.encoder.forward(patches, { visible: batch.visible });
      const visible = ops.contiguous(ops.narrow(tokens_BTD, 1, 16, 6));
      near(visible.numbers().slice((6 + 5) * WIDTH), [1.44029115, -0.117939195, 0.240829329], tolerance);
      near([absoluteSum(visible)], [332.027414508], tolerance);
      const predicted = backbone.predictMasked(patches, batch.predict, { visible: batch.visible });
      near(predicted.numbers(), [-1.0687078, 0.745451856, -1.27729559], tolerance);
      near(predicted.numbers().slice(5 * WIDTH), [-0.959932148, 1.03043897, -1.23949902], tolerance);
      near([absoluteSum(predicted)], [173.744633441], tolerance);
    });
  });

  const teacherFeatures = () => {
    const encoded = noGrad(() => capi.student.encodePatches(patchify(batch.images_B3YX, 14)));
    return ops.transpose(encoded, 0, 1);
  };

  const clusteringOf = (balance: 'positionwise' | 'pooled') => {
    using generator = new Generator(0);
    const { targetTemperature, predictionTemperature } = capiRecipe.parse({ method: 'capi' }).capi;
    const options = {
      width: WIDTH,
      prototypes: PROTOTYPES,
      targetTemperature,
      predictionTemperature,
      iterations: 3,
      balance,
    };
    const head = new OnlineClustering(options, generator).to({ dtype });
    fill(head.layer.weight, (i) => Math.sin(1.7 * i + 0.3));
    fill(head.layer.bias, (j) => 0.1 * Math.cos(j));
    return head;
  };

  it('C: clusters teacher features, position by position', () => {
    scope(() => {
      const head = clusteringOf('positionwise');
      const { assignments_NBK, loss } = head.forward(teacherFeatures());
      near([loss.item()], [2.0905657], tolerance);
      const all = assignments_NBK.numbers();
      near(
        all,
        [0.0475358151, 0.202416593, 1.45215283e-7, 0.150551508, 0.202392094, 7.14210232e-8, 0.19485223, 0.202251541],
        tolerance,
      );
      near(
        all.slice((5 * 2 + 1) * PROTOTYPES),
        [0.00863076079, 0.2824443, 9.49171198e-4, 0.0338036608, 0.282439628, 3.20431606e-4, 0.108985215, 0.282426829],
        tolerance,
      );
      near([meanEntropy(ops.flatten(assignments_NBK, 0, 1)).item()], [1.54573], tolerance);
      loss.backward();
      near(head.layer.weight.grad!.numbers(), [-0.0674776707, 0.0466537726, -0.011898774], tolerance);
      near([absoluteSum(head.layer.weight.grad!)], [15.2569591], 10 * tolerance);
      near(
        head.layer.bias.grad!.numbers(),
        [-0.160760492, 0.108091163, 0.146244904, -0.794739861, -0.627323807, 1.47146478, -0.0933658613, -0.0496108903],
        tolerance,
      );
      head.dispose();
    });
  });

  it('C: clusters them pooled', () => {
    scope(() => {
      const head = clusteringOf('pooled');
      const { assignments_NBK, loss } = head.forward(teacherFeatures());
      near([loss.item()], [1.4419336], tolerance);
      near(
        assignments_NBK.numbers(),
        [
          0.00208367415, 0.452643632, 7.76976398e-8, 0.00888773464, 0.323667653, 4.22914138e-8, 0.0241275996,
          0.188589558,
        ],
        tolerance,
      );
      head.dispose();
    });
  });

  it('D: balances a small matrix', () => {
    scope(() => {
      const scores = ops.to(Tensor.from(Float32Array.from([1, 2, 3, 0, 4, 1, 2, 2, 2, 5, 0, 1]), [4, 3]), dtype);
      near(
        sinkhornKnopp(scores, 3).numbers(),
        [
          0.0426749373, 0.172171732, 0.785153316, 0.0112608333, 0.912521139, 0.0762180137, 0.201038627, 0.298382938,
          0.500578421, 0.94732337, 0.00947371504, 0.0432029037,
        ],
        tolerance,
      );
    });
  });

  it('E: makes student logits and the student loss', () => {
    scope(() => {
      const predicted = capi.student.predictMasked(patchify(batch.images_B3YX, 14), batch.predict, {
        visible: batch.visible,
      });
      const student = publishedParts(capi.student).head;
      const { lastLayer } = student;
      fill(lastLayer.weightG, (j) => 1 + 0.05 * j);
      const logits = student.forward(predicted);
      fill(lastLayer.weightG, () => 1);
      near(
        logits.numbers(),
        [
          -0.0208672064, 0.0301396201, -0.0319317536, 0.0246265178, -0.00933002125, -0.00981667486, 0.0274639205,
          -0.038885196,
        ],
        tolerance,
      );
      const head = clusteringOf('positionwise');
      const { assignments_NBK } = head.forward(teacherFeatures());
      const targets = ops.indexSelect(ops.flatten(ops.transpose(assignments_NBK, 0, 1), 0, 1), 0, batch.predict);
      near([crossEntropy(logits, targets, 0.12).item()], [2.16322732], tolerance);
      head.dispose();
    });
  });

  it('F: trains five steps', () => {
    const expected = [
      [0, 1, 2.140374184, 2.04948616, 1.535369947, 517.11367],
      [0.005, 0.95, 2.140374184, 2.04948616, 1.535369947, 517.11367],
      [0.01, 0.9, 3.247861207, 2.040133953, 1.535146236, 1214.63191],
      [0.01, 0.9, 2.208503524, 1.953165412, 1.533212278, 330.57071],
      [0.00968117435, 0.90318825647, 2.05200996, 1.894180775, 1.543639181, 73.48738],
    ] as const;
    // Early Adam steps are sign-like, so rounding is amplified in float32.
    const within = dtype === 'float64' ? 1e-5 : 5e-4;
    const before = publishedParts(capi.student).backbone.encoder.blocks[0]!.residual1.fn.rope!.freqs.numbers();
    for (const [step, [lr, momentum, student, clustering, entropy, gradient]] of expected.entries()) {
      let gradientSum = 0;
      const values = trainStep(capi, [batch], step, {
        measure: true,
        beforeUpdate: () =>
          scope(() => {
            for (const [, parameter] of capi.student.parameters())
              if (parameter.grad) gradientSum += absoluteSum(parameter.grad);
          }),
      });
      near([capi.optimizers.student.lr(step), capi.schedules(step).momentum!], [lr, momentum], 1e-9);
      near([values.student!, values.clustering!, values.targetEntropy!], [student, clustering, entropy], within);
      // The sum in the table includes the rotary frequencies, which are frozen here and have no gradient.
      expect(gradientSum).toBeLessThanOrEqual(gradient * (1 + within));
    }
    if (dtype === 'float32') return;
    const sum = (module: Module) =>
      [...module.parameters()].reduce((total, [, parameter]) => total + absoluteSum(parameter), 0);
    near([sum(capi.student)], [9901.6238], 1e-5);
    near([sum(capi.teacher)], [9890.1857], 1e-5);
    const { clustering } = capi;
    const [student, teacher] = [publishedParts(capi.student), publishedParts(capi.teacher)];
    near([absoluteSum(clustering.layer.weight)], [162.39806], 1e-5);
    near([absoluteSum(clustering.layer.bias)], [0.134075993], 1e-5);
    near(student.backbone.encoder.registers!.numbers(), [0.226980157, 0.191405595, 0.149579094], 1e-5);
    near(student.backbone.encoder.patchEmbed.bias.numbers(), [0.198990119, 0.198427019, 0.17738104], 1e-5);
    near(
      student.backbone.encoder.blocks[0]!.residual1.norm.weight!.numbers(),
      [1.06552908, 1.02910488, 0.973214817],
      1e-5,
    );
    near(student.head.lastLayer.weightG.numbers(), [0.987137777, 0.974592935, 0.974320229], 1e-5);
    near(teacher.head.lastLayer.weightG.numbers(), [0.997981651, 0.994502312, 0.994457758], 1e-5);
    near(clustering.layer.bias.numbers(), [0.0165278308, 0.0150559283, -0.0172288467], 1e-5);
    expect(student.backbone.encoder.blocks[0]!.residual1.fn.rope!.freqs.numbers()).toEqual(before);
  });
});
