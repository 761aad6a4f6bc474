// B images · C classes · D width · Y X pixels
import type { ImageBatch } from '../../data/loader.js';
import type { View } from '../../data/views.js';
import type { EncoderDescription } from '../../models/encoder.js';
import type { KnownEncoder } from '../../models/encoder-kinds.js';
import { EncoderPart } from '../../models/encoder-part.js';
import { normalisePixels, patchify } from '../../models/patches.js';
import { transformerOf } from '../../models/transformer-of.js';
import { unfreeze } from '../../models/unfreeze.js';
import { type VitOptions, vitOptions } from '../../models/vit-options.js';
import { AdamW } from '../../optim/adamw.js';
import { decayGroups, layerwiseRate } from '../../optim/layerwise-decay.js';
import { openWarmupCosine, scaledRate } from '../../optim/schedule.js';
import { Random, seedFrom } from '../../support/random.js';
import { wide } from '../../tensor/autocast.js';
import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';
import type { Health, Method, MethodState, ScheduledOptimizer, StepContext, StepResult } from '../../train/method.js';
import { parameterType } from '../../train/precision.js';
import { statePart } from '../../train/state-part.js';
import { trainingCrops } from '../../train/training-crops.js';
import { ClassifierHead } from './classifier-head.js';
import type { FinetuneConfig } from './finetune-config.js';
import { judgeFinetuning } from './health.js';
import { drawMix, mixedTargets, mixImages } from './mix-images.js';
import { drawErasedBox, eraseBoxes } from './random-erasing.js';

/** Streams of random numbers of a run, kept apart by their first part after the seed. */
enum Stream {
  Weights = 1,
  Paths = 2,
  Mix = 3,
  Erase = 4,
  Noise = 5,
}

/** Images as the encoder takes them, and what the classifier should say of them. */
export interface FinetuneBatch {
  readonly images_B3YX: Tensor;
  readonly targets_BC: Tensor;
}

/** What a batch takes from the loader. */
export type LabelledImages = Pick<ImageBatch, 'images' | 'size' | 'labels'>;

export interface FinetuneOptions {
  /** The encoder that is trained on; its weights come with `warmStart`. */
  readonly encoder: KnownEncoder;
  readonly classes: number;
  /** Images of an epoch. */
  readonly images: number;
  readonly device?: string | undefined;
}

/** Steps of a run: epochs leave out what does not fill a batch. */
export function finetuneSteps({ optim }: Pick<FinetuneConfig, 'optim'>, images: number) {
  const epoch = Math.max(1, Math.floor(images / optim.batchSize));
  return { epoch, steps: optim.epochs * epoch, warmupSteps: Math.round(optim.warmupEpochs * epoch) };
}

/**
 * Trains a whole encoder with a linear classifier on labelled images. Source: MIM-Refiner section 5 of the released
 * evaluations (yamls/eval/finetune, finetune_1p, finetune_10p), after MAE main_finetune.py.
 */
export class Finetune implements Method<FinetuneBatch> {
  readonly name = 'finetune';
  readonly mainLoss = 'total';
  readonly views: readonly View[];
  readonly optimizers: Readonly<Record<string, ScheduledOptimizer>>;
  readonly student: EncoderPart;
  readonly head: ClassifierHead;
  readonly #config: FinetuneConfig;
  readonly #source: KnownEncoder;
  readonly #options: VitOptions;
  readonly #classes: number;
  readonly #device: string;
  readonly #pool: 'class' | 'patches';
  readonly #paths: Generator;

  constructor(config: FinetuneConfig, { encoder, classes, images, device = 'cpu' }: FinetuneOptions) {
    this.#config = config;
    this.#source = encoder;
    this.#options = trainable(transformerOf(encoder), config.model.dropPath);
    this.#classes = classes;
    this.#device = device;
    this.#pool = config.model.pool ?? (this.#options.classToken ? 'class' : 'patches');
    const { randAugment } = config.data;
    this.views = [{ ...trainingCrops(config.data), augment: { randAugment } }];
    using weights = new Generator(seedFrom(config.seed, Stream.Weights));
    this.#paths = new Generator(seedFrom(config.seed, Stream.Paths), device);
    const place = { dtype: parameterType(config.optim.precision), device };
    const { width, finalNorm, norm } = this.#options;
    this.student = new EncoderPart(this.#options, weights).to(place);
    const normEps = finalNorm === 'none' ? norm.eps : undefined;
    this.head = new ClassifierHead({ width, classes, normEps, generator: weights }).to(place);
    unfreeze(this.student.backbone, { frozenBlocks: config.model.freezeBlocks, positions: true });
    this.optimizers = { all: this.#optimizer(images) };
  }

  #optimizer(images: number): ScheduledOptimizer {
    const { lr, endLr, batchSize, layerDecay, weightDecay, betas } = this.#config.optim;
    const { backbone } = this.student;
    const ofBlock = layerwiseRate(backbone.depth, layerDecay);
    const named = [...backbone.parameters(), ...this.head.parameters('head.')];
    const groups = decayGroups(named, weightDecay, (name) => (name.startsWith('head.') ? 1 : ofBlock(name)));
    const { steps, warmupSteps } = finetuneSteps(this.#config, images);
    return {
      optimizer: new AdamW(groups, { betas }),
      lr: openWarmupCosine({ peak: scaledRate(lr, batchSize), end: endLr, steps, warmupSteps }),
    };
  }

  get bfloat16On(): string | undefined {
    return this.#config.optim.precision === 'bfloat16' ? this.#device : undefined;
  }

  get encoderDescription(): EncoderDescription {
    return { kind: 'vit', ...this.#options };
  }

  /** There is no average: the encoder is student and teacher alike. */
  get encoders() {
    return { student: this.student.backbone, teacher: this.student.backbone };
  }

  makeBatch({ images, labels, size }: LabelledImages, position: number): FinetuneBatch {
    const { seed, data, mix } = this.#config;
    const side = data.imageSize;
    return scope(() => {
      const images_B3YX = ops.contiguous(this.#normalised(images, size));
      if (data.erase > 0) {
        const boxes = Array.from({ length: size }, (_, i) =>
          drawErasedBox(data.erase, side, Random.from(seed, Stream.Erase, position + i)),
        );
        using noise = new Generator(seedFrom(seed, Stream.Noise, position), this.#device);
        eraseBoxes(images_B3YX, boxes, noise);
      }
      const mixed = drawMix(mix, side, Random.from(seed, Stream.Mix, position));
      const targets_BC = mixedTargets(labels, this.#classes, mix.labelSmoothing, mixed?.share);
      return {
        images_B3YX: mixed ? mixImages(images_B3YX, mixed) : images_B3YX,
        targets_BC: ops.toDevice(targets_BC, this.#device, parameterType(this.#config.optim.precision)),
      };
    });
  }

  disposeBatch({ images_B3YX, targets_BC }: FinetuneBatch): void {
    images_B3YX.dispose();
    targets_BC.dispose();
  }

  step({ images_B3YX, targets_BC }: FinetuneBatch, context: StepContext): StepResult {
    return scope(() => {
      const logits_BC = wide(this.#logits(images_B3YX, this.#paths));
      const total = softCrossEntropy(logits_BC, targets_BC);
      context.backward(total);
      return {
        losses: { total: ops.detach(total) },
        metrics: context.measure ? { accuracy: accuracyOf(logits_BC, targets_BC) } : {},
      };
    });
  }

  /** Class ids of images (B, Y, X, 3) of 8 bits that are not augmented. */
  classify(images: Uint8Array, count: number): Int32Array {
    return scope(() =>
      noGrad(() => {
        const logits_BC = this.#logits(this.#normalised(images, count));
        return ops.contiguous(ops.toDevice(ops.argmax(logits_BC, 1), 'cpu', 'int32')).data() as Int32Array;
      }),
    );
  }

  #normalised(images: Uint8Array, count: number): Tensor {
    const side = this.#config.data.imageSize;
    return normalisePixels(images, [count, side, side], this.#device, parameterType(this.#config.optim.precision));
  }

  #logits(images_B3YX: Tensor, dropPath?: Generator): Tensor {
    const encoder = this.student.backbone;
    return scope(() => {
      const { outputBlock = encoder.depth - 1 } = this.#options;
      const patches = patchify(images_B3YX, encoder.patchSize);
      const encoded = encoder.forward(patches, { blocks: [outputBlock], ...(dropPath && { dropPath }) });
      if (this.#pool === 'class') return this.head.forward(encoder.split(encoded.tokens_BTD).class_BD!);
      // The final norm is that of the mean, as published, not of the patches.
      const mean_BD = ops.meanDim(encoder.split(encoded.blocks.get(outputBlock)!).patches_BPD, [1]);
      return this.head.forward(encoder.norm?.forward(mean_BD) ?? mean_BD);
    });
  }

  afterUpdate(): void {}

  schedules(): Record<string, number> {
    return {};
  }

  health(latest: Readonly<Record<string, number>>): Health {
    return judgeFinetuning(latest, this.#classes);
  }

  state(): MethodState {
    return new Map<string, ReadonlyMap<string, Tensor>>([
      ['student', this.student.state()],
      ['head', this.head.state()],
      ['generators', new Map([['paths', this.#paths.state()]])],
    ]);
  }

  restore(state: MethodState): void {
    const part = (name: string) => statePart(state, name, 'a fine-tuning checkpoint');
    this.student.load(part('student'));
    this.head.load(part('head'));
    this.#paths.restore(part('generators').get('paths')!);
  }

  /** Takes an encoder. @throws {CheckpointError} it does not fit. */
  warmStart(weights: MethodState): void {
    this.student.start(this.#source, weights);
  }

  dispose(): void {
    for (const owned of [this.student, this.head, this.#paths]) owned.dispose();
    for (const { optimizer } of Object.values(this.optimizers)) optimizer.dispose();
  }
}

/** The same network with dropped paths, and with a table of positions that is trained. */
function trainable(options: VitOptions, rate: number): VitOptions {
  const { positions } = options;
  return vitOptions({
    ...options,
    dropPath: { rate, kind: 'refiner', ramp: true },
    positions: positions.kind === 'table' ? { ...positions, learned: true } : positions,
  });
}

/** Mean over images of the cross-entropy with targets that are distributions. */
function softCrossEntropy(logits_BC: Tensor, targets_BC: Tensor): Tensor {
  return scope(() => ops.div(ops.sum(ops.mul(ops.logSoftmax(logits_BC, 1), targets_BC)), -logits_BC.size(0)));
}

/** Share of images whose likeliest class is the one with the largest target. */
function accuracyOf(logits_BC: Tensor, targets_BC: Tensor): Tensor {
  return scope(() =>
    noGrad(() => {
      const right_B = ops.eq(ops.argmax(logits_BC, 1), ops.argmax(targets_BC, 1));
      return ops.mean(ops.to(right_B, 'float32'));
    }),
  );
}
