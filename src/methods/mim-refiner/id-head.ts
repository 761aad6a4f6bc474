// N rows: views of the images, view-major · G rows of the global views · B images · D width · C E channels
import type { ProcessGroup } from '../../distributed/process-group.js';
import { BatchNorm, type BatchNormMode } from '../../nn/batch-norm.js';
import { Linear } from '../../nn/linear.js';
import { Module } from '../../nn/module.js';
import { copyParameters, updateAverage } from '../../optim/ema.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';
import { NeighbourQueue, type Neighbours, type QueuedImages } from './neighbour-queue.js';

/** Sizes of a head. Published: 2048, 4096, 256 and 65536. */
export interface IdHeadOptions {
  /** Channels of the features that it reads. */
  readonly width: number;
  readonly projectorWidth: number;
  readonly predictorWidth: number;
  /** Channels of projections and predictions. */
  readonly outputWidth: number;
  readonly queueSize: number;
  /** A moving average of the projector makes the projections that are compared. */
  readonly momentum: boolean;
}

export interface IdHeadInputs {
  /** Features of all views, the global ones first, view-major. */
  readonly x_ND: Tensor;
  /** The momentum encoder's features of the global views, where there is one. */
  readonly momentumX_GD?: Tensor | undefined;
  readonly images: QueuedImages;
  readonly globalViews: number;
  /** Among how many nearest entries of the queue the neighbour is picked. */
  readonly topK: number;
  readonly picks: Generator;
  readonly group?: ProcessGroup | undefined;
}

export interface IdHeadOutputs extends Neighbours {
  /** Without gradients. */
  readonly projected_GE: Tensor;
  readonly predicted_NE: Tensor;
}

/** A linear layer without bias, batch norm, and where it is not the last one GELU. */
class HeadLayer extends Module {
  readonly linear: Linear;
  readonly norm: BatchNorm;
  readonly #last: boolean;

  constructor(inputs: number, outputs: number, last: boolean, generator: Generator) {
    super();
    this.linear = new Linear(inputs, outputs, { bias: false, generator });
    this.norm = new BatchNorm(outputs);
    this.#last = last;
  }

  forward(x_NC: Tensor, mode: BatchNormMode): Tensor {
    return scope(() => {
      const normed_NC = this.norm.forward(this.linear.forward(x_NC), mode);
      return this.#last ? normed_NC : ops.gelu(normed_NC);
    });
  }
}

class HeadMlp extends Module {
  readonly layers: HeadLayer[];

  constructor(widths: readonly number[], generator: Generator) {
    super();
    this.layers = widths
      .slice(1)
      .map((width, index) => new HeadLayer(widths[index]!, width, index === widths.length - 2, generator));
  }

  forward(x_NC: Tensor, mode: BatchNormMode): Tensor {
    return scope(() => this.layers.reduce((x, layer) => layer.forward(x, mode), x_NC));
  }
}

/**
 * An instance discrimination head on the features of one block: projector, predictor and the queue of its projections.
 * Batch norm is joint over all views and processes. Source: MIM-Refiner models/ssl/nnclr_head.py `NnclrHead`.
 */
export class IdHead extends Module {
  readonly projector: HeadMlp;
  readonly predictor: HeadMlp;
  readonly queue: NeighbourQueue;
  readonly momentumProjector: HeadMlp | undefined;

  constructor(options: IdHeadOptions, generator: Generator) {
    super();
    const { width, projectorWidth, predictorWidth, outputWidth } = options;
    const projector = () => new HeadMlp([width, projectorWidth, projectorWidth, outputWidth], generator);
    this.projector = projector();
    this.predictor = new HeadMlp([outputWidth, predictorWidth, outputWidth], generator);
    this.queue = new NeighbourQueue(options.queueSize, outputWidth, generator);
    if (!options.momentum) return;
    this.momentumProjector = projector();
    copyParameters(this.momentumProjector, this.projector);
    this.momentumProjector.trainable = false;
  }

  /** One training step's forward pass; the queue then holds the images of this step. */
  forward(inputs: IdHeadInputs): IdHeadOutputs {
    return scope(() => {
      const { x_ND, images, globalViews, topK, group } = inputs;
      const count = images.indices_B.size(0);
      const mode: BatchNormMode = { training: true, peers: group };
      const z_NE = this.projector.forward(x_ND, mode);
      const predicted_NE = this.predictor.forward(z_NE, mode);
      const projected_GE =
        this.#momentumProjections(inputs, mode) ?? ops.detach(ops.narrow(z_NE, 0, 0, globalViews * count));
      const candidates_GK = this.queue.candidates(projected_GE, topK, images.indices_B);
      const chosen_G = pick(candidates_GK, inputs);
      const neighbours = this.queue.take(projected_GE, chosen_G, images.labels_B);
      this.queue.add(ops.narrow(projected_GE, 0, 0, count), images, group);
      return { projected_GE, predicted_NE, ...neighbours };
    });
  }

  #momentumProjections({ x_ND, momentumX_GD, globalViews, images }: IdHeadInputs, mode: BatchNormMode) {
    const { momentumProjector } = this;
    if (momentumProjector === undefined) return undefined;
    const rows = globalViews * images.indices_B.size(0);
    return scope(() => noGrad(() => momentumProjector.forward(momentumX_GD ?? ops.narrow(x_ND, 0, 0, rows), mode)));
  }

  /** Projections and predictions by the running statistics; the queue stays as it is. */
  evaluate(x_ND: Tensor): { hidden_NC: Tensor; projected_NE: Tensor; predicted_NE: Tensor } {
    return scope(() =>
      noGrad(() => {
        const mode: BatchNormMode = { training: false };
        const hidden_NC = this.projector.layers[0]!.forward(x_ND, mode);
        const projected_NE = this.projector.layers.slice(1).reduce((x, layer) => layer.forward(x, mode), hidden_NC);
        return { hidden_NC, projected_NE, predicted_NE: this.predictor.forward(projected_NE, mode) };
      }),
    );
  }

  /** Moves the momentum projector, if there is one, towards the projector; each keeps its own running statistics. */
  afterUpdate(momentum: number): void {
    if (this.momentumProjector) updateAverage(this.momentumProjector, this.projector, momentum, 'kept');
  }
}

/** One candidate of each row, all equally likely; the same whatever the number of processes. */
function pick(candidates_GK: Tensor, { images, globalViews, picks, group }: IdHeadInputs): Tensor {
  return scope(() => {
    const [rows, topK] = candidates_GK.shape as [number, number];
    if (topK === 1) return ops.select(candidates_GK, 1, 0);
    const count = images.indices_B.size(0);
    const shape = [globalViews, count * (group?.worldSize ?? 1)];
    const draws = ops.narrow(
      ops.rand(shape, picks, 'float64', candidates_GK.device),
      1,
      (group?.rank ?? 0) * count,
      count,
    );
    const places_G1 = ops.reshape(ops.to(ops.mul(draws, topK), 'int64'), [rows, 1]);
    return ops.select(ops.gather(candidates_GK, 1, places_G1), 1, 0);
  });
}
