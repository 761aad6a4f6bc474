// N images · P patches of an image · S patches of a chunk · D width · K prototypes
import { unitRows } from '../../features/feature-spread.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../../tensor/tensor.js';
import type { PrototypeScores } from '../task.js';

/** Patches that are looked at together. */
const CHUNK = 16384;

/** What patches say together. */
export interface PatchStatistics {
  /** As `spreadOf`, of all patches. */
  readonly spread: number;
  /** (K) patches that are closest to each prototype, where these are given. */
  readonly usage?: Float64Array;
}

/** Over features (N, P, D), some images at a time. */
export function patchStatistics(patches_NPD: Tensor, device: string, prototypes?: PrototypeScores): PatchStatistics {
  const [images, perImage, width] = patches_NPD.shape as [number, number, number];
  const step = Math.max(1, Math.floor(CHUNK / perImage));
  const sum = new Float64Array(width);
  let usage: Float64Array | undefined;
  for (let start = 0; start < images; start += step) {
    scope(() =>
      noGrad(() => {
        const chunk = ops.narrow(patches_NPD, 0, start, Math.min(step, images - start));
        const features_SD = ops.flatten(chunk, 0, 1);
        ops
          .sumDim(ops.to(unitRows(features_SD), 'float64'), [0], false)
          .numbers()
          .forEach((value, d) => {
            sum[d]! += value;
          });
        if (prototypes === undefined) return;
        const scores_SK = prototypes(ops.toDevice(features_SD, device, 'float32'));
        const winners = ops.bincount(ops.argmax(scores_SK, -1), null, scores_SK.size(1)).numbers();
        usage ??= new Float64Array(winners.length);
        winners.forEach((count, k) => {
          usage![k]! += count;
        });
      }),
    );
  }
  return { spread: spreadFrom(sum, images * perImage), ...(usage && { usage }) };
}

/**
 * Root of the total variance of unit features, from their sum: near 1 where they point everywhere, 0 where all point one way.
 * The same number as CAPI's training curve of that name.
 */
export function spreadFrom(sum: ArrayLike<number>, count: number): number {
  const square = Array.from(sum).reduce((total, value) => total + (value / count) ** 2, 0);
  return Math.sqrt((Math.max(0, 1 - square) * count) / (count - 1));
}
