import type { ImageBatch } from '../data/loader.js';
import type { View } from '../data/views.js';
import type { EncoderDescription, ImageEncoder } from '../models/encoder.js';
import type { AdamW } from '../optim/adamw.js';
import type { Schedule } from '../optim/schedule.js';
import type { Tensor } from '../tensor/tensor.js';

/** An optimiser of a method with its learning rate over the run. */
export interface ScheduledOptimizer {
  readonly optimizer: AdamW;
  readonly lr: Schedule;
}

/** What a method may use while it computes a step. */
export interface StepContext {
  /** Steps done so far. */
  readonly step: number;
  /** Whether this step's metrics will be recorded; costly ones may be left out otherwise. */
  readonly measure: boolean;
  /** Accumulates the gradients of a scalar loss; the loop scales it where gradients are accumulated. */
  backward(loss: Tensor): void;
}

/** Scalars of a step: losses first, then anything worth a curve. Tensors, so that a step need not wait for a device. */
export interface StepResult {
  readonly losses: Readonly<Record<string, Tensor>>;
  readonly metrics: Readonly<Record<string, Tensor | number>>;
}

/** A judgement of a run's state in words. */
export interface Health {
  readonly healthy: boolean;
  /** One line: the figures with what healthy looks like. */
  readonly text: string;
}

/** Named groups of tensors that together are a method's state; each becomes a file of the checkpoint. */
export type MethodState = ReadonlyMap<string, ReadonlyMap<string, Tensor>>;

/**
 * A training method as the loop sees it. The loop asks for batches, steps, updates the optimisers and saves the state; it
 * knows nothing of students, teachers, masks or heads.
 */
export interface Method<Batch> {
  readonly name: string;
  /** The crops that the decoding workers make of each image. */
  readonly views: readonly View[];
  /** Which of a step's losses is the one to follow. */
  readonly mainLoss: string;
  readonly optimizers: Readonly<Record<string, ScheduledOptimizer>>;
  /** The device on which a step's matrix products are made in bfloat16; absent where all is of the parameters' type. */
  readonly bfloat16On?: string | undefined;
  /**
   * Turns decoded images into what `step` wants.
   * @param position of the first image in the stream of samples; random choices depend on it and the seed only
   */
  makeBatch(images: ImageBatch, position: number): Batch;
  /** Frees what `makeBatch` made. */
  disposeBatch(batch: Batch): void;
  /** Computes losses and their gradients. Tensors it returns belong to the caller's scope. */
  step(batch: Batch, context: StepContext): StepResult;
  /** After the optimisers: momentum teachers, queues, temperatures. */
  afterUpdate(step: number): void;
  /** Values of schedules at a step, for the curves. */
  schedules(step: number): Readonly<Record<string, number>>;
  /** Judges the last measurements, by name as in `StepResult`. */
  health(latest: Readonly<Record<string, number>>): Health;
  /** Everything beyond the optimisers' moments, borrowed. */
  state(): MethodState;
  /** @throws {CheckpointError} the state does not fit. */
  restore(state: MethodState): void;
  /** The trained network and, where there is one, its average, for evaluation during and after training. Borrowed. */
  readonly encoders: Readonly<Record<'student' | 'teacher', ImageEncoder>>;
  /** How to build the encoder again from its weights, without the method. */
  readonly encoderDescription: EncoderDescription;
  /**
   * Starts from weights made elsewhere: an encoder, or parts of a checkpoint of this method.
   * @throws {CheckpointError} they do not fit.
   */
  warmStart(weights: MethodState): void;
  /**
   * Features (B, D) by the name of their curve, of normalised images (B, 3, Y, X), without gradients, for those who follow
   * how good they are; methods without it have no such curves. The caller owns the tensors.
   */
  features?(images_B3YX: Tensor): ReadonlyMap<string, Tensor>;
  dispose(): void;
}
