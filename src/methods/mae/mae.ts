// B batch · P patches · V visible, M masked patches of an image · E values of a patch · D width
import type { ImageBatch } from '../../data/loader.js';
import type { View } from '../../data/views.js';
import type { ProcessGroup } from '../../distributed/process-group.js';
import { featureSpread } from '../../features/feature-spread.js';
import { drawMaskedBatch, type MaskedBatch } from '../../masks/masked-batch.js';
import type { EncoderDescription } from '../../models/encoder.js';
import { type Patches, patchify } from '../../models/patches.js';
import { VisionTransformer } from '../../models/vit.js';
import { Module } from '../../nn/module.js';
import { AdamW } from '../../optim/adamw.js';
import { decayGroups } from '../../optim/layerwise-decay.js';
import { openWarmupCosine, scaledRate } from '../../optim/schedule.js';
import { Random, seedFrom } from '../../support/random.js';
import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';
import { type MaskedImages, maskedImages } from '../../train/masked-images.js';
import type { Health, Method, MethodState, ScheduledOptimizer, StepContext, StepResult } from '../../train/method.js';
import { parameterType } from '../../train/precision.js';
import { statePart } from '../../train/state-part.js';
import { trainingCrops } from '../../train/training-crops.js';
import { MaeDecoder } from './decoder.js';
import { judgeMae } from './health.js';
import { type MaeConfig, type MaeNetworkOptions, maeMasks, maeNetworks } from './mae-config.js';

/** Streams of random numbers of a run, kept apart by their first part after the seed. */
enum Stream {
  Weights = 1,
  Masks = 3,
}

/** The encoder with its decoder. */
export class MaeNetwork extends Module {
  readonly backbone: VisionTransformer;
  readonly decoder: MaeDecoder;

  constructor(options: MaeNetworkOptions, generator: Generator) {
    super();
    this.backbone = new VisionTransformer(options.encoder, generator);
    this.decoder = new MaeDecoder(options.decoder, generator);
  }
}

/** Images with what the encoder sees of them (B·V), and all that it does not (B·M). */
export interface MaeBatch extends Omit<MaskedImages, 'predict'> {
  readonly masked: Tensor;
}

/**
 * MAE: an encoder of the visible patches, and a light decoder that predicts the pixels of the masked ones, each patch
 * normalised by its own mean and deviation. Source: MAE models_mae.py, engine_pretrain.py; MIM-Refiner trainers/mae_trainer.py.
 */
export class Mae implements Method<MaeBatch> {
  readonly name = 'mae';
  readonly mainLoss = 'reconstruction';
  readonly views: readonly View[];
  readonly student: MaeNetwork;
  readonly optimizers: { readonly student: ScheduledOptimizer };
  readonly #config: MaeConfig;
  readonly #networks: MaeNetworkOptions;
  readonly #device: string;
  #steps = 0;

  constructor(config: MaeConfig, options: { device?: string; group?: ProcessGroup } = {}) {
    this.#config = config;
    this.#networks = maeNetworks(config);
    this.#device = options.device ?? 'cpu';
    const { data, optim } = config;
    this.views = [trainingCrops(data)];
    using weights = new Generator(seedFrom(config.seed, Stream.Weights));
    this.student = new MaeNetwork(this.#networks, weights).to({
      dtype: parameterType(optim.precision),
      device: this.#device,
    });
    // Class and mask token are decayed, as in the published code.
    const groups = decayGroups(this.student.parameters(), optim.weightDecay);
    const { steps, warmupSteps, betas } = optim;
    const lr = openWarmupCosine({ peak: scaledRate(optim.lr, optim.batchSize), end: 0, steps, warmupSteps });
    this.optimizers = { student: { optimizer: new AdamW(groups, { betas }), lr } };
  }

  get bfloat16On(): string | undefined {
    return this.#config.optim.precision === 'bfloat16' ? this.#device : undefined;
  }

  get encoderDescription(): EncoderDescription {
    return { kind: 'vit', ...this.#networks.encoder };
  }

  /** MAE has no average: its encoder is student and teacher alike. */
  get encoders() {
    return { student: this.student.backbone, teacher: this.student.backbone };
  }

  makeBatch(images: Pick<ImageBatch, 'images' | 'size'>, position: number): MaeBatch {
    const { data, optim } = this.#config;
    const place = { side: data.imageSize, device: this.#device, dtype: parameterType(optim.precision) };
    const { predict: masked, ...seen } = maskedImages(images, this.drawMasks(images.size, position), place);
    return { ...seen, masked };
  }

  /** The masks of `count` images from a position of the stream on. */
  drawMasks(count: number, position: number): MaskedBatch {
    const { seed } = this.#config;
    return drawMaskedBatch({
      ...maeMasks(this.#config),
      batch: count,
      random: (image) => Random.from(seed, Stream.Masks, position + image),
    });
  }

  disposeBatch(batch: MaeBatch): void {
    for (const tensor of [batch.images_B3YX, batch.visible, batch.masked]) tensor.dispose();
  }

  step({ images_B3YX, visible, masked }: MaeBatch, context: StepContext): StepResult {
    return scope(() => {
      const { backbone, decoder } = this.student;
      const patches = patchify(images_B3YX, backbone.patchSize);
      const { tokens_BTD } = backbone.forward(patches, { visible });
      const predicted_BME = decoder.forward(tokens_BTD, visible, masked);
      const difference = ops.sub(predicted_BME, maeTargets(patches, masked));
      const loss = ops.mean(ops.mul(difference, difference));
      context.backward(loss);
      const spread = () => noGrad(() => featureSpread(backbone.split(tokens_BTD).patches_BPD));
      return {
        losses: { reconstruction: ops.detach(loss) },
        metrics: context.measure ? { featureSpread: spread() } : {},
      };
    });
  }

  afterUpdate(step: number): void {
    this.#steps = step + 1;
  }

  schedules(): Record<string, number> {
    return {};
  }

  health(latest: Readonly<Record<string, number>>): Health {
    return judgeMae(latest, this.#steps > this.#config.optim.warmupSteps);
  }

  state(): MethodState {
    return new Map([['student', this.student.state()]]);
  }

  restore(state: MethodState): void {
    this.student.load(studentOf(state));
  }

  /** Takes `student`: the whole, or its encoder only. */
  warmStart(weights: MethodState): void {
    this.student.load(new Map<string, Tensor>([...this.student.state(), ...studentOf(weights)]));
  }

  dispose(): void {
    this.student.dispose();
    this.optimizers.student.optimizer.dispose();
  }
}

const studentOf = (state: MethodState) => statePart(state, 'student', 'MAE weights');

/**
 * Values of the masked patches as row, column, channel, each patch with mean 0 and variance 1: (B, M, E).
 * @param masked absolute indices, equally many in each image
 */
function maeTargets({ pixels_BPE }: Patches, masked: Tensor): Tensor {
  return scope(() => {
    const batch = pixels_BPE.size(0);
    const chosen_SE = ops.indexSelect(ops.flatten(pixels_BPE, 0, 1), 0, masked);
    const channelsLast = ops.flatten(ops.transpose(ops.unflatten(chosen_SE, 1, [3, -1]), 1, 2), 1, 2);
    const normed_SE = ops.layerNorm(channelsLast, [channelsLast.size(1)], null, null, 1e-6);
    return ops.unflatten(normed_SE, 0, [batch, -1]);
  });
}
