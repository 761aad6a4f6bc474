// B batch · P patches · R registers · D width · L number of blocks · Y X rows and columns of patches
import type { Embedding, ImageEncoder } from '../../models/encoder.js';
import { invariant } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import type { ProbeFeatures } from './probe-heads.js';
import type { CapiSourceName, SourceName } from './source-names.js';

/** What heads may read of an image. */
export interface ProbeSource {
  readonly name: SourceName;
  /** Blocks whose raw output it takes, ascending; none: the encoder's result. */
  readonly blocks: readonly number[];
  /** Vectors (B, D) or tokens (B, P, D), float32. */
  read(embedding: Embedding): Tensor;
}

/** Source: CAPI eval_classification.py `BackboneWrapper`. */
export function capiSource(name: CapiSourceName): ProbeSource {
  const read = {
    cls: globalOf,
    avg_patch: meanPatch,
    cls_avg_patch: (embedding: Embedding) => ops.cat([globalOf(embedding), meanPatch(embedding)], 1),
    patch: (embedding: Embedding) => ops.flatten(embedding.patches_BYXD, 1, 2),
  }[name];
  return { name, blocks: [], read: (embedding) => scope(() => float(read(embedding))) };
}

/**
 * What MIM-Refiner's probes read: class token, and class token with the mean patch; of encoders without class token, the
 * mean patch, and the global vector with it, unless that is the mean patch again. From the encoder's result, and from its
 * last four blocks. Source: MIM-Refiner probe_processor.py, poolings/class_token.py, concat_class_average.py.
 *
 * @param example of the encoder's embeddings
 */
export function mimSources(encoder: ImageEncoder, example: Embedding): ProbeSource[] {
  const last = Array.from(
    { length: Math.min(4, encoder.depth) },
    (_, i) => encoder.depth - Math.min(4, encoder.depth) + i,
  );
  const kinds = example.class_BD
    ? (['cls', 'cls_avg_patch'] as const)
    : repeatsMean(example)
      ? (['avg_patch'] as const)
      : (['avg_patch', 'cls_avg_patch'] as const);
  return kinds.flatMap((kind): ProbeSource[] => [
    mimSource(kind, []),
    ...(encoder.depth > 0 ? [mimSource(kind, last)] : []),
  ]);
}

function mimSource(kind: 'cls' | 'avg_patch' | 'cls_avg_patch', blocks: readonly number[]): ProbeSource {
  return {
    name: `${kind}_last${blocks.length > 0 ? 4 : 1}`,
    blocks,
    read: (embedding) =>
      scope(() => {
        const outputs = blocks.length > 0 ? blocks.map((block) => embedding.blocks!.get(block)!) : [embedding];
        const means = outputs.map(meanPatch);
        // Blocks have no global vector of their own where there is no class token.
        const global = embedding.class_BD ? outputs.map(({ class_BD }) => class_BD!) : [globalOf(embedding)];
        const parts = { cls: global, avg_patch: means, cls_avg_patch: [...global, ...means] }[kind];
        return float(ops.cat(parts, 1));
      }),
  };
}

const globalOf = ({ global_BD }: Embedding) => global_BD;
const meanPatch = ({ patches_BYXD }: Pick<Embedding, 'patches_BYXD'>) => ops.meanDim(float(patches_BYXD), [1, 2]);
const float = (x: Tensor) => (x.dtype === 'float32' ? x : ops.to(x, 'float32'));

function repeatsMean(embedding: Embedding): boolean {
  return scope(() => {
    const mean_BD = meanPatch(embedding);
    if (embedding.global_BD.size(1) !== mean_BD.size(1)) return false;
    return ops.norm(ops.sub(embedding.global_BD, mean_BD)).item() <= 1e-5 * ops.norm(mean_BD).item();
  });
}

/** Features of normalised images for all sources, in one pass of the encoder. The caller owns the tensors. */
export function readSources(
  encoder: ImageEncoder,
  sources: readonly ProbeSource[],
  images_B3YX: Tensor,
): ProbeFeatures {
  invariant(sources.length > 0, 'no sources');
  return scope(() => {
    const blocks = [...new Set(sources.flatMap((source) => source.blocks))].sort((a, b) => a - b);
    const embedding = encoder.embed(images_B3YX, { blocks });
    return new Map(sources.map((source) => [source.name, source.read(embedding)]));
  });
}
