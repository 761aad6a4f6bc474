import { Module } from '../nn/module.js';
import { CheckpointError } from '../support/errors.js';
import type { Generator } from '../tensor/generator.js';
import type { Tensor } from '../tensor/tensor.js';
import type { KnownEncoder } from './encoder-kinds.js';
import { transformerWeights } from './transformer-of.js';
import { VisionTransformer } from './vit.js';
import type { VitOptions } from './vit-options.js';

/** An encoder under the name that checkpoints give it. */
export class EncoderPart extends Module {
  readonly backbone: VisionTransformer;

  constructor(options: VitOptions, generator: Generator) {
    super();
    this.backbone = new VisionTransformer(options, generator);
  }

  /**
   * Takes an encoder from parts of a checkpoint, the average one where there are two.
   * @param source what the parts are of
   * @throws {CheckpointError} there is none, or it does not fit.
   */
  start(source: KnownEncoder, parts: ReadonlyMap<string, ReadonlyMap<string, Tensor>>): void {
    const given = parts.get('teacher') ?? parts.get('student');
    if (given === undefined) throw new CheckpointError('Expected the weights of an encoder to start from, found none.');
    this.backbone.load(transformerWeights(source, given));
  }
}
