// N images · D width
import type { Features } from '../../features/extract.js';
import type { EvaluationView } from '../../features/extraction-pass.js';
import { type FeaturePart, partsOf } from '../../features/parts.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { UsageError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { FeatureRequest } from '../task.js';
import { type Layers, type Pooling, pooledKind } from './pooling-options.js';

/** What stands for an image. */
export interface PooledChoice {
  readonly pooling: Pooling;
  readonly layers: Layers;
  readonly view: EvaluationView;
}

/**
 * The features that {@link pooledRows} takes its rows from.
 * @throws {UsageError} the encoder has too few blocks, or blocks have no such vector.
 */
export function pooledRequest(encoder: ImageEncoder, { pooling, layers, view }: PooledChoice): FeatureRequest {
  const kind = pooledKind(pooling);
  if (layers === 'output') return { view, kinds: [kind] };
  if (kind === 'global' || kind === 'registers') {
    throw new UsageError(`Of single blocks expected the pooling patches or class, received ${pooling}.`, {
      hint: 'Or take it from the output: --layers output.',
    });
  }
  const count = layers === 'last' ? 1 : 4;
  if (encoder.depth < count) {
    throw new UsageError(
      `Expected an encoder of ${count} blocks or more for the layers ${layers}, it has ${encoder.depth}.`,
    );
  }
  const of = Array.from({ length: count }, (_, i) => encoder.depth - count + i);
  return { view, kinds: [], blocks: { of, kinds: [kind] } };
}

/** Rows (N, D) of the features of that request; call it in a scope, which frees what had to be put together. */
export function pooledRows(features: Features, { pooling, layers }: PooledChoice): Tensor {
  const kind = pooledKind(pooling);
  if (layers === 'output') return features[`${kind}_ND`]!;
  const rows = [...features.blocks.values()].map((block) => block[`${kind as 'class' | 'patchMean'}_ND`]!);
  return rows.length === 1 ? rows[0]! : ops.cat(rows, 1);
}

/** The parts of an embedding that stand for an image, side by side. @throws as {@link pooledRequest} */
export function pooledParts(encoder: ImageEncoder, choice: PooledChoice): FeaturePart[] {
  const { kinds, blocks } = pooledRequest(encoder, choice);
  return partsOf(kinds, blocks);
}
