// B images · N images of all views, view-major · D width · E channels of a projection
import type { View } from '../../data/views.js';
import type { ProcessGroup } from '../../distributed/process-group.js';
import type { EncoderDescription } from '../../models/encoder.js';
import type { KnownEncoder } from '../../models/encoder-kinds.js';
import { EncoderPart } from '../../models/encoder-part.js';
import { transformerOf } from '../../models/transformer-of.js';
import { unfreeze } from '../../models/unfreeze.js';
import type { VitOptions } from '../../models/vit-options.js';
import { copyParameters, updateAverage } from '../../optim/ema.js';
import { CheckpointError } from '../../support/errors.js';
import { seedFrom } from '../../support/random.js';
import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../tensor/tensor.js';
import type { Health, Method, MethodState, ScheduledOptimizer, StepContext, StepResult } from '../../train/method.js';
import { parameterType } from '../../train/precision.js';
import { statePart } from '../../train/state-part.js';
import { type AlignmentLoss, alignmentLoss } from './alignment-loss.js';
import { checkRefiner } from './check-recipe.js';
import { type HeadSpec, keptHeads, listHeads, lossWeight } from './head-list.js';
import { judgeRefiner } from './health.js';
import { IdHead, type IdHeadOutputs } from './id-head.js';
import { type DecodedViews, type RefinerBatch, refinerBatch } from './refiner-batch.js';
import type { RefinerConfig } from './refiner-config.js';
import { stageOptimizers, stagePlan } from './refiner-optimizers.js';
import { GLOBAL_VIEWS, refinerViews } from './refiner-views.js';
import { tapFeatures, tapKey } from './tap-features.js';

/** Streams of random numbers of a run, kept apart by their first part after the seed. */
enum Stream {
  Weights = 1,
  Picks = 2,
}

export interface RefinerOptions {
  /** The encoder that is refined; its weights come with `warmStart`. */
  readonly encoder: KnownEncoder;
  readonly device?: string;
  readonly group?: ProcessGroup;
}

/**
 * MIM-Refiner: heads on the blocks of a trained encoder learn to find an image's neighbours again in other views of it;
 * first the heads alone, then the encoder with them. Source: MIM-Refiner sections 3 and 4, models/composite/contrastive_model.py,
 * trainers/contrastive_trainer.py.
 */
export class MimRefiner implements Method<RefinerBatch> {
  readonly name = 'mim-refiner';
  readonly mainLoss = 'total';
  readonly views: readonly View[];
  readonly student: EncoderPart;
  /** The moving average of the student. */
  readonly teacher: EncoderPart;
  readonly heads: Map<string, IdHead>;
  optimizers: Record<string, ScheduledOptimizer>;
  readonly #momentum: EncoderPart | undefined;
  readonly #config: RefinerConfig;
  readonly #source: KnownEncoder;
  readonly #options: VitOptions;
  readonly #device: string;
  readonly #group: ProcessGroup | undefined;
  readonly #picks: Generator;
  readonly #headSteps: number;
  #specs: readonly HeadSpec[];
  #stage: 'heads' | 'refine' = 'heads';

  /** @throws {ConfigError} the recipe does not fit the encoder. */
  constructor(config: RefinerConfig, options: RefinerOptions) {
    this.#config = config;
    this.#source = options.encoder;
    this.#options = transformerOf(options.encoder);
    this.#device = options.device ?? 'cpu';
    this.#group = options.group;
    checkRefiner(config, this.#options);
    this.views = refinerViews(config);
    using weights = new Generator(seedFrom(config.seed, Stream.Weights));
    this.#picks = new Generator(seedFrom(config.seed, Stream.Picks), this.#device);
    const place = { dtype: parameterType(config.optim.precision), device: this.#device };
    const encoder = () => new EncoderPart(this.#options, weights).to(place);
    this.student = encoder();
    this.teacher = encoder();
    this.#momentum = config.heads.momentum === undefined ? undefined : encoder();
    for (const part of this.#encoderParts()) part.trainable = false;
    this.#specs = listHeads(config);
    const sizes = { ...config.heads, width: this.#options.width, momentum: config.heads.momentum !== undefined };
    this.heads = new Map(this.#specs.map(({ name }) => [name, new IdHead(sizes, weights).to(place)]));
    this.optimizers = stageOptimizers(config, 'heads', this.heads, this.student.backbone);
    this.#headSteps = stagePlan(config).headSteps;
    if (this.#headSteps === 0) this.#beginRefining();
  }

  get bfloat16On(): string | undefined {
    return this.#config.optim.precision === 'bfloat16' ? this.#device : undefined;
  }

  get encoderDescription(): EncoderDescription {
    return { kind: 'vit', ...this.#options };
  }

  get encoders() {
    return { student: this.student.backbone, teacher: this.teacher.backbone };
  }

  makeBatch(images: DecodedViews): RefinerBatch {
    return refinerBatch(images, GLOBAL_VIEWS, {
      dtype: parameterType(this.#config.optim.precision),
      device: this.#device,
    });
  }

  disposeBatch(batch: RefinerBatch): void {
    for (const tensor of [batch.globals_N3YX, batch.locals_N3YX, batch.indices_B, batch.labels_B]) tensor?.dispose();
  }

  step(batch: RefinerBatch, context: StepContext): StepResult {
    return scope(() => {
      const features = this.#features(batch);
      const momentumFeatures =
        this.#momentum && noGrad(() => tapFeatures(this.#momentum!.backbone, batch.globals_N3YX, this.#specs));
      const metrics: Record<string, Tensor | number> = {};
      const losses = this.#specs.map((spec) => {
        const key = tapKey(spec);
        const outputs = this.#headOutputs(spec, batch, features.get(key)!, momentumFeatures?.get(key));
        const loss = this.#headLoss(spec, batch, outputs);
        if (context.measure) Object.assign(metrics, headMetrics(spec.name, batch, outputs, loss));
        return ops.mul(loss.total, this.#lossWeight(spec, context.step));
      });
      const total = losses.reduce((sum, loss) => ops.add(sum, loss));
      context.backward(total);
      if (context.measure) metrics.queueFilled = this.heads.get(this.#specs[0]!.name)!.queue.filled();
      return { losses: { total: ops.detach(total) }, metrics };
    });
  }

  /** Features of all views by tap: without gradients while the encoder is frozen. */
  #features(batch: RefinerBatch): Map<string, Tensor> {
    const forward = () => {
      const parts = [batch.globals_N3YX, batch.locals_N3YX].flatMap((images) =>
        images ? [tapFeatures(this.student.backbone, images, this.#specs)] : [],
      );
      return new Map([...parts[0]!.keys()].map((key) => [key, ops.cat(parts.map((part) => part.get(key)!))]));
    };
    return scope(() => (this.#stage === 'heads' ? noGrad(forward) : forward()));
  }

  #headOutputs(spec: HeadSpec, images: RefinerBatch, x_ND: Tensor, momentumX_GD?: Tensor): IdHeadOutputs {
    return this.heads.get(spec.name)!.forward({
      x_ND,
      momentumX_GD,
      images,
      globalViews: GLOBAL_VIEWS,
      topK: this.#config.stages[this.#stage].topK,
      picks: this.#picks,
      group: this.#group,
    });
  }

  #headLoss(spec: HeadSpec, batch: RefinerBatch, outputs: IdHeadOutputs): AlignmentLoss {
    const views = (tensor: Tensor) => ops.unflatten(tensor, 0, [-1, batch.indices_B.length]);
    return scope(() =>
      alignmentLoss(
        {
          projected_IBE: views(outputs.projected_GE),
          neighbours_IBE: views(outputs.neighbours_NE),
          predicted_JBE: views(outputs.predicted_NE),
        },
        { ...this.#config.heads, temperature: spec.temperature },
        this.#group,
      ),
    );
  }

  #lossWeight({ weight }: HeadSpec, step: number): number {
    return this.#stage === 'heads' ? 1 : lossWeight(weight, step - this.#headSteps, this.#config.stages.refine.steps);
  }

  /**
   * What MIM-Refiner follows: every block's raw output, pooled as the heads pool it, and behind the first layer of every
   * projector. Source: utils/processors/stage3_processor.py.
   */
  features(images_B3YX: Tensor): Map<string, Tensor> {
    return scope(() =>
      noGrad(() => {
        const { backbone } = this.student;
        const pools = [...new Set(this.#specs.map(({ pool }) => pool))];
        const blocks = pools.flatMap((pool) =>
          Array.from({ length: backbone.depth }, (_, block) => ({
            tap: { block, pool },
            name: `knnBlock.${pools.length > 1 ? `${pool}-` : ''}${block}`,
          })),
        );
        const taps = [...blocks.map(({ tap }) => tap), ...this.#specs];
        const found = tapFeatures(backbone, ops.to(images_B3YX, parameterType(this.#config.optim.precision)), taps);
        const hidden = (spec: HeadSpec) => this.heads.get(spec.name)!.evaluate(found.get(tapKey(spec))!).hidden_NC;
        return new Map([
          ...blocks.map(({ tap, name }) => [name, found.get(tapKey(tap))!] as const),
          ...this.#specs.map((spec) => [`knnHead.${spec.name}`, hidden(spec)] as const),
        ]);
      }),
    );
  }

  afterUpdate(step: number): void {
    const { stages, heads } = this.#config;
    if (this.#stage === 'refine') updateAverage(this.teacher, this.student, stages.refine.average);
    if (heads.momentum !== undefined) {
      updateAverage(this.#momentum!, this.student, heads.momentum, 'kept');
      for (const head of this.heads.values()) head.afterUpdate(heads.momentum);
    }
    if (this.#config.stage === 'both' && step + 1 === this.#headSteps) this.#beginRefining();
  }

  /** From here on the encoder learns. Heads go on with their weights, running statistics and queues, optimisers anew. */
  #beginRefining(): void {
    if (this.#stage === 'refine') return;
    this.#stage = 'refine';
    this.#specs = keptHeads(this.#config);
    for (const [name, head] of this.heads) {
      if (this.#specs.some((spec) => spec.name === name)) continue;
      head.dispose();
      this.heads.delete(name);
    }
    this.#disposeOptimizers();
    unfreeze(this.student.backbone, { frozenBlocks: this.#config.stages.refine.freezeBlocks, positions: false });
    this.optimizers = stageOptimizers(this.#config, 'refine', this.heads, this.student.backbone);
  }

  schedules(step: number): Record<string, number> {
    const weighted = this.#specs.filter(({ weight }) => weight.length > 0);
    return Object.fromEntries(weighted.map((spec) => [`lossWeight.${spec.name}`, this.#lossWeight(spec, step)]));
  }

  health(latest: Readonly<Record<string, number>>): Health {
    return judgeRefiner(latest, this.#stage, this.#specs);
  }

  state(): MethodState {
    const state = new Map<string, ReadonlyMap<string, Tensor>>([
      ['student', this.student.state()],
      ['teacher', this.teacher.state()],
      ['heads', new Map([...this.heads].flatMap(([name, head]) => prefixed(`${name}.`, head.state())))],
      ['generators', new Map([['picks', this.#picks.state()]])],
      ['progress', new Map([['refining', Tensor.from(BigInt64Array.of(this.#stage === 'refine' ? 1n : 0n), [1])]])],
    ]);
    if (this.#momentum) state.set('momentum', this.#momentum.state());
    return state;
  }

  restore(state: MethodState): void {
    const part = (name: string) => statePart(state, name, 'a MIM-Refiner checkpoint');
    if (part('progress').get('refining')?.item() === 1) this.#beginRefining();
    this.student.load(part('student'));
    this.teacher.load(part('teacher'));
    this.#momentum?.load(part('momentum'));
    for (const [name, head] of this.heads) head.load(withoutPrefix(`${name}.`, part('heads')));
    this.#picks.restore(part('generators').get('picks')!);
  }

  /**
   * Takes an encoder, the average one where there are two, and where they are given the heads that this recipe has too.
   * @throws {CheckpointError} they do not fit, or the refine stage is to begin without heads.
   */
  warmStart(weights: MethodState): void {
    this.student.start(this.#source, weights);
    copyParameters(this.teacher, this.student);
    if (this.#momentum) copyParameters(this.#momentum, this.student);
    const heads = weights.get('heads') ?? new Map<string, Tensor>();
    for (const [name, head] of this.heads) {
      const part = withoutPrefix(`${name}.`, heads);
      if (part.size > 0) head.load(part);
      else if (this.#stage === 'refine')
        throw new CheckpointError(`Expected a trained head "${name}" for stage=refine, found none.`, {
          hint: 'Give a run of stage=heads with the same heads as --from, or do both stages.',
        });
    }
  }

  #encoderParts(): EncoderPart[] {
    return [this.student, this.teacher, ...(this.#momentum ? [this.#momentum] : [])];
  }

  #disposeOptimizers(): void {
    for (const { optimizer } of Object.values(this.optimizers)) optimizer.dispose();
  }

  dispose(): void {
    for (const owned of [...this.#encoderParts(), ...this.heads.values(), this.#picks]) owned.dispose();
    this.#disposeOptimizers();
  }
}

/** What a head says of a step, each metric under its name and the head's. */
function headMetrics(
  name: string,
  { labelled }: RefinerBatch,
  outputs: IdHeadOutputs,
  loss: AlignmentLoss,
): Record<string, Tensor> {
  return {
    [`headLoss.${name}`]: ops.detach(loss.total),
    [`alignment.${name}`]: loss.globalAlignment,
    ...(loss.localAlignment && { [`localAlignment.${name}`]: loss.localAlignment }),
    [`neighbourSimilarity.${name}`]: outputs.similarity,
    [`neighbourAge.${name}`]: outputs.age,
    ...(labelled && { [`neighbourAccuracy.${name}`]: outputs.accuracy }),
  };
}

function prefixed(prefix: string, state: ReadonlyMap<string, Tensor>): [string, Tensor][] {
  return [...state].map(([name, tensor]) => [prefix + name, tensor]);
}

function withoutPrefix(prefix: string, state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map(
    [...state].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}
