// B images of this process · T images of all processes · I anchor views (the global ones) · J predicted views
// R columns of all views · E channels
import type { ProcessGroup } from '../../distributed/process-group.js';
import { wide } from '../../tensor/autocast.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../tensor/tensor.js';
import { unit } from './unit.js';

/**
 * What an anchor is compared with: `nna` puts the neighbour into the positive pair only (MIM-Refiner), `swap-all` into
 * all pairs (NNCLR), `no-swap` into none (InfoNCE).
 */
export type Swap = 'nna' | 'swap-all' | 'no-swap';

/**
 * Which views the local terms predict. `published` are views 0 to L-1 of the G global and L local ones, as the released
 * code computes it: the global ones again, with themselves too, and the last G local ones never. `intended` are the L
 * local ones.
 */
export type LocalPairs = 'published' | 'intended';

export interface AlignmentLossOptions {
  readonly temperature: number;
  readonly swap: Swap;
  readonly localPairs: LocalPairs;
}

/** Projections without gradients and predictions with one; none is normalised. */
export interface AlignmentInputs {
  readonly projected_IBE: Tensor;
  readonly neighbours_IBE: Tensor;
  /** Of all views: the I global ones, then the local ones. */
  readonly predicted_JBE: Tensor;
}

/** Scalars. Those of the local views are absent where there are none. */
export interface AlignmentLoss {
  /** With a gradient. */
  readonly total: Tensor;
  readonly globalLoss: Tensor;
  readonly localLoss?: Tensor;
  /** Mean probability of the positive pair. */
  readonly globalAlignment: Tensor;
  readonly localAlignment?: Tensor;
}

/**
 * Nearest neighbour alignment: each anchor view's image is to be found among the predictions of all images of another
 * view. Source: MIM-Refiner section 3, losses/ssl/nnclr_loss.py `NnclrLoss`, nnclr_allswap_loss.py.
 */
export function alignmentLoss(
  inputs: AlignmentInputs,
  options: AlignmentLossOptions,
  group?: ProcessGroup,
): AlignmentLoss {
  return scope(() => {
    const logits_IJBT = alignmentLogits(inputs, options, group);
    const [anchors, views, count] = logits_IJBT.shape as [number, number, number, number];
    const own_IJB1 = ops.expand(ownColumns(inputs.predicted_JBE, group), [anchors, views, count, 1]);
    const rows_IJB = ops.select(ops.gather(ops.logSoftmax(logits_IJBT, -1), -1, own_IJB1), -1, 0);
    const terms_IJ = ops.neg(ops.meanDim(rows_IJB, [-1]));
    const hits_IJ = noGrad(() => ops.meanDim(ops.exp(rows_IJB), [-1]));
    const pairs = pairCounts(anchors, views, options.localPairs);
    const both = pairs.global.map((count, at) => count + pairs.local[at]!);
    const losses_IJ = ops.detach(terms_IJ);
    return {
      total: weightedMean(terms_IJ, both),
      globalLoss: weightedMean(losses_IJ, pairs.global),
      globalAlignment: weightedMean(hits_IJ, pairs.global),
      ...(views > anchors && {
        localLoss: weightedMean(losses_IJ, pairs.local),
        localAlignment: weightedMean(hits_IJ, pairs.local),
      }),
    };
  });
}

/** Scaled cosines of anchor views and predicted views, of this process's images with those of all: (I, J, B, T). */
function alignmentLogits(inputs: AlignmentInputs, options: AlignmentLossOptions, group?: ProcessGroup): Tensor {
  return scope(() => {
    const scaled = (x: Tensor) => ops.div(unit(x), options.temperature);
    const predicted_JBE = unit(inputs.predicted_JBE);
    const all_JTE = group === undefined ? predicted_JBE : gatherImages(predicted_JBE, group);
    const all_EJT = ops.permute(all_JTE, [2, 0, 1]);
    const compare = (anchors_IBE: Tensor) => {
      const flat_IBR = wide(ops.matmul(scaled(anchors_IBE), ops.flatten(all_EJT, 1, 2)));
      return ops.transpose(ops.unflatten(flat_IBR, 2, all_JTE.shape.slice(0, 2)), 1, 2);
    };
    if (options.swap === 'no-swap') return compare(inputs.projected_IBE);
    if (options.swap === 'swap-all') return compare(inputs.neighbours_IBE);
    // The neighbour is compared with the prediction of its own image only: one product a row instead of one with all.
    const neighbours_I1BE = ops.unsqueeze(scaled(inputs.neighbours_IBE), 1);
    const positive_IJB1 = ops.sumDim(ops.mul(neighbours_I1BE, predicted_JBE), [-1], true);
    const isOwn_BT = ops.eq(ownColumns(predicted_JBE, group), columns(0, all_JTE.size(1), predicted_JBE.device));
    return ops.where(isOwn_BT, positive_IJB1, compare(inputs.projected_IBE));
  });
}

function gatherImages(x_JBE: Tensor, group: ProcessGroup): Tensor {
  return ops.transpose(group.gather(ops.transpose(x_JBE, 0, 1)), 0, 1);
}

/** Where the images of this process are among those of all, (B, 1). */
function ownColumns(predicted_JBE: Tensor, group?: ProcessGroup): Tensor {
  const count = predicted_JBE.size(1);
  return scope(() => ops.unsqueeze(columns((group?.rank ?? 0) * count, count, predicted_JBE.device), 1));
}

/** Whole numbers from `first` on, int64. */
function columns(first: number, count: number, device: string): Tensor {
  const numbers = BigInt64Array.from({ length: count }, (_, index) => BigInt(first + index));
  return scope(() => ops.toDevice(Tensor.from(numbers, [count]), device, 'int64'));
}

/** How often each pair of anchor view i and predicted view j counts, at i·J + j. */
function pairCounts(anchors: number, views: number, localPairs: LocalPairs) {
  const locals = views - anchors;
  const first = localPairs === 'published' ? 0 : anchors;
  const counts = (isPair: (i: number, j: number) => boolean) =>
    Array.from({ length: anchors * views }, (_, at) => Number(isPair(Math.floor(at / views), at % views)));
  return {
    global: counts((i, j) => j < anchors && i !== j),
    local: counts((_, j) => j >= first && j < first + locals),
  };
}

function weightedMean(values_IJ: Tensor, counts: readonly number[]): Tensor {
  return scope(() => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const weights = Tensor.from(
      Float64Array.from(counts, (count) => count / total),
      values_IJ.shape,
    );
    return ops.sum(ops.mul(values_IJ, ops.toDevice(weights, values_IJ.device, values_IJ.dtype)));
  });
}
