import type { Tensor } from '../tensor/tensor.js';
import type { KnownEncoder } from './encoder-kinds.js';
import { capiVit } from './encoder-predictor.js';
import type { VitOptions } from './vit-options.js';

const BACKBONE = 'backbone.';
const ENCODER = 'encoder.';

/** The vision transformer in an encoder of any kind: CAPI's without its predictor. */
export function transformerOf(description: KnownEncoder): VitOptions {
  if (description.kind === 'encoder-predictor') return capiVit(description.encoder);
  const { kind, ...options } = description;
  return options;
}

/** The weights of {@link transformerOf} among those of a checkpoint's part, by the names of a `VisionTransformer`. */
export function transformerWeights(description: KnownEncoder, part: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const prefix = description.kind === 'encoder-predictor' ? BACKBONE + ENCODER : BACKBONE;
  return new Map(
    [...part].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}
