// B batch · P patches · D width · K prototypes · S predicted patches of all images
import type { ImageBatch } from '../../data/loader.js';
import type { View } from '../../data/views.js';
import type { ProcessGroup } from '../../distributed/process-group.js';
import { featureSpread } from '../../features/feature-spread.js';
import { drawMaskedBatch, type MaskedBatch } from '../../masks/masked-batch.js';
import type { EncoderDescription } from '../../models/encoder.js';
import { type Patches, patchify } from '../../models/patches.js';
import { AdamW } from '../../optim/adamw.js';
import { copyParameters, updateAverage } from '../../optim/ema.js';
import { parameterGroups } from '../../optim/parameter-groups.js';
import { type Schedule, warmupCosine } from '../../optim/schedule.js';
import { CheckpointError, invariant } from '../../support/errors.js';
import { Random, seedFrom } from '../../support/random.js';
import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';
import { type MaskedImages, maskedImages } from '../../train/masked-images.js';
import type { Health, Method, MethodState, ScheduledOptimizer, StepContext, StepResult } from '../../train/method.js';
import { parameterType } from '../../train/precision.js';
import { statePart } from '../../train/state-part.js';
import { trainingCrops } from '../../train/training-crops.js';
import { type CapiConfig, capiMasks, capiNetwork } from './capi-config.js';
import { type CapiNetwork, type CapiNetworkOptions, createCapiNetwork } from './capi-network.js';
import { meanEntropy } from './cross-entropy.js';
import { judgeHealth } from './health.js';
import { balancedAssignments, type ChosenAssignments, chosen, OnlineClustering } from './online-clustering.js';

/** Streams of random numbers of a run, kept apart by their first part after the seed. */
enum Stream {
  Weights = 1,
  DropPath = 2,
  Masks = 3,
}

/** What a step takes. */
export type CapiBatch = MaskedImages;

/**
 * CAPI: the student predicts, at masked patches, which clusters the teacher's features of the whole image belong to.
 * Source: CAPI train_capi.py `do_teacher`, `do_student`, `train`.
 */
export class Capi implements Method<CapiBatch> {
  readonly name = 'capi';
  readonly mainLoss = 'student';
  readonly views: readonly View[];
  readonly student: CapiNetwork;
  /** The moving average of the student; its backbone makes the targets. */
  readonly teacher: CapiNetwork;
  readonly optimizers: { readonly student: ScheduledOptimizer; readonly clustering?: ScheduledOptimizer };
  readonly #config: CapiConfig;
  readonly #network: CapiNetworkOptions;
  readonly #clustering: OnlineClustering | undefined;
  readonly #momentum: Schedule;
  readonly #dropPath: Generator;
  readonly #device: string;
  readonly #group: ProcessGroup | undefined;

  constructor(config: CapiConfig, options: { device?: string; group?: ProcessGroup } = {}) {
    this.#config = config;
    this.#device = options.device ?? 'cpu';
    this.#group = options.group;
    const { data, optim, capi } = config;
    this.views = [trainingCrops(data)];

    const rank = this.#group?.rank ?? 0;
    using weights = new Generator(seedFrom(config.seed, Stream.Weights));
    this.#dropPath = new Generator(seedFrom(config.seed, Stream.DropPath, rank), this.#device);
    const place = { dtype: parameterType(optim.precision), device: this.#device };
    this.#network = capiNetwork(config);
    this.student = createCapiNetwork(this.#network, weights).to(place);
    this.teacher = createCapiNetwork(this.#network, weights).to(place);
    copyParameters(this.teacher, this.student);
    this.teacher.trainable = false;
    const { width } = this.student.backbone;
    this.#clustering =
      capi.loss === 'clustering' ? new OnlineClustering({ ...capi, width }, weights).to(place) : undefined;

    const { steps, warmupSteps, truncateCosine: truncate } = optim;
    const cosine = (base: number, start = 0, final = 0) =>
      warmupCosine({ start, base, final, steps, warmupSteps, truncate });
    this.#momentum = cosine(optim.momentum, optim.startMomentum, 1);
    const betas = optim.betas;
    const groups = parameterGroups(this.student.parameters(), optim.weightDecay, optim);
    // Frozen frequencies need no gradient either.
    for (const group of groups)
      if (group.lrMultiplier === 0) for (const [, parameter] of group.parameters) parameter.requiresGrad = false;
    const student = { optimizer: new AdamW(groups, { betas }), lr: cosine(optim.lr) };
    if (this.#clustering === undefined) {
      this.optimizers = { student };
      return;
    }
    const prototypes = [
      { parameters: [...this.#clustering.parameters()], lrMultiplier: 1, weightDecay: capi.weightDecay },
    ];
    this.optimizers = {
      student,
      clustering: { optimizer: new AdamW(prototypes, { betas }), lr: cosine(capi.lr) },
    };
  }

  /** The teacher's prototypes; other losses than that of clustering have none. */
  get clustering(): OnlineClustering {
    invariant(this.#clustering !== undefined, 'the loss has no clusters');
    return this.#clustering;
  }

  get bfloat16On(): string | undefined {
    return this.#config.optim.precision === 'bfloat16' ? this.#device : undefined;
  }

  get encoderDescription(): EncoderDescription {
    return this.#network.kind === 'published'
      ? { kind: 'encoder-predictor', ...this.#network.network }
      : { kind: 'vit', ...this.#network.encoder };
  }

  get encoders() {
    return { student: this.student.backbone, teacher: this.teacher.backbone };
  }

  makeBatch(images: Pick<ImageBatch, 'images' | 'size'>, position: number): CapiBatch {
    const { data, optim } = this.#config;
    const place = { side: data.imageSize, device: this.#device, dtype: parameterType(optim.precision) };
    return maskedImages(images, this.drawMasks(images.size, position), place);
  }

  /** The masks of `count` images from a position of the stream on, the same in every process and on every machine. */
  drawMasks(count: number, position: number): MaskedBatch {
    const { seed } = this.#config;
    return drawMaskedBatch({
      ...capiMasks(this.#config),
      batch: count,
      random: (image) => Random.from(seed, Stream.Masks, position + image),
    });
  }

  disposeBatch(batch: CapiBatch): void {
    for (const tensor of [batch.images_B3YX, batch.visible, batch.predict]) tensor.dispose();
  }

  step(batch: CapiBatch, context: StepContext): StepResult {
    return scope(() => {
      const patches = patchify(batch.images_B3YX, this.student.backbone.patchSize);
      const teacher = this.#teach(patches, batch.predict, context);
      const student = this.#learn(patches, batch, teacher.targets, context);
      return { losses: { student, ...teacher.losses }, metrics: teacher.metrics };
    });
  }

  /** Targets at the predicted patches, one a row, and the clustering loss with its gradients where there is one. */
  #teach(patches: Patches, predict: Tensor, context: StepContext): Teaching {
    return scope(() => {
      const features_PBD = noGrad(() => scope(() => ops.transpose(this.teacher.encodePatches(patches), 0, 1)));
      const spread = () => (context.measure ? { featureSpread: featureSpread(features_PBD) } : {});
      if (this.#config.capi.loss === 'i-jepa') {
        const normed_PBD = ops.layerNorm(features_PBD, [features_PBD.size(-1)], null, null, 1e-5);
        return { targets: atPatches(normed_PBD, predict), losses: {}, metrics: spread() };
      }
      const { assignments_SK, winners_K, losses } = this.#assign(features_PBD, predict, context);
      const metrics = winners_K && {
        targetEntropy: meanEntropy(assignments_SK),
        prototypesInUse: ops.sum(ops.gt(winners_K, 0)),
        ...spread(),
      };
      return { targets: assignments_SK, losses, metrics: metrics ?? {} };
    });
  }

  /** Balanced assignments of the teacher's features at the predicted patches, to clusters or by its head. */
  #assign(features_PBD: Tensor, predict: Tensor, context: StepContext): ChosenAssignments & Pick<Teaching, 'losses'> {
    return scope(() => {
      if (this.#clustering === undefined) {
        const logits_PBK = noGrad(() => this.teacher.head!.forward(features_PBD));
        const assignments_PBK = balancedAssignments(logits_PBK, this.#config.capi, this.#group);
        return { ...chosen(assignments_PBK, predict, context.measure), losses: {} };
      }
      const { loss, ...assigned } = this.#clustering.forwardAt(features_PBD, predict, context.measure, this.#group);
      context.backward(loss);
      return { ...assigned, losses: { clustering: ops.detach(loss) } };
    });
  }

  /** The student's loss with its gradients. */
  #learn(patches: Patches, batch: CapiBatch, targets: Tensor, context: StepContext): Tensor {
    return scope(() => {
      const options = { visible: batch.visible, dropPath: this.#dropPath };
      const predicted_SD = this.student.predictMasked(patches, batch.predict, options);
      const loss = this.student.head
        ? this.student.head.crossEntropy(predicted_SD, targets, this.#config.capi.studentTemperature)
        : ops.smoothL1Loss(predicted_SD, targets);
      context.backward(loss);
      return ops.detach(loss);
    });
  }

  afterUpdate(step: number): void {
    updateAverage(this.teacher, this.student, this.#momentum(step));
  }

  schedules(step: number): Record<string, number> {
    return { momentum: this.#momentum(step) };
  }

  health(latest: Readonly<Record<string, number>>): Health {
    return judgeHealth(latest, this.#config.capi.prototypes);
  }

  state(): MethodState {
    return new Map<string, ReadonlyMap<string, Tensor>>([
      ['student', this.student.state()],
      ['teacher', this.teacher.state()],
      ...(this.#clustering ? ([['clustering', this.#clustering.state()]] as const) : []),
      ['generators', new Map([['dropPath', this.#dropPath.state()]])],
    ]);
  }

  restore(state: MethodState): void {
    const part = (name: string) => statePart(state, name, 'a CAPI checkpoint');
    this.student.load(part('student'));
    this.teacher.load(part('teacher'));
    this.#clustering?.load(part('clustering'));
    this.#dropPath.restore(part('generators').get('dropPath')!);
  }

  /** Takes `student` (whole, or its backbone only) and, where given, `teacher` and `clustering`. */
  warmStart(weights: MethodState): void {
    const given = weights.get('student');
    if (given === undefined) throw new CheckpointError('Expected student weights to start from, found none.');
    const hasHead = [...given.keys()].some((name) => name.startsWith('head.'));
    const whole = (network: CapiNetwork, part: ReadonlyMap<string, Tensor>) =>
      hasHead ? part : new Map<string, Tensor>([...network.state(), ...part]);
    this.student.load(whole(this.student, given));
    this.teacher.load(whole(this.teacher, weights.get('teacher') ?? given));
    const clustering = weights.get('clustering');
    if (clustering) this.#clustering?.load(clustering);
  }

  dispose(): void {
    for (const owned of [this.student, this.teacher, this.#clustering, this.#dropPath]) owned?.dispose();
    for (const { optimizer } of Object.values(this.optimizers)) optimizer.dispose();
  }
}

/** What the teacher asks of the student, and what that cost. */
interface Teaching {
  readonly targets: Tensor;
  readonly losses: Readonly<Record<string, Tensor>>;
  readonly metrics: Readonly<Record<string, Tensor>>;
}

/** Rows of values (P, B, …) at absolute indices into the flattened (B·P) patches. */
function atPatches(values_PBD: Tensor, patches: Tensor): Tensor {
  return scope(() => noGrad(() => ops.indexSelect(ops.flatten(ops.transpose(values_PBD, 0, 1), 0, 1), 0, patches)));
}
