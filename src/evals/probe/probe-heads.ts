// B batch · H heads of a source · C classes · N tokens · D width
import { BatchNorm } from '../../nn/batch-norm.js';
import { invariant } from '../../support/errors.js';
import type { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../../tensor/tensor.js';
import { AttentionBank } from './attention-bank.js';
import type { HeadBank } from './head-bank.js';
import { adamWHeads, type HeadOptimizer, type HeadSchedule, type HeadSpec, sgdHeads } from './head-optimizers.js';
import { LinearBank } from './linear-bank.js';

/**
 * How heads are made and trained. `capi`: features as they are, AdamW, the mean of all losses; tokens are pooled by
 * attention. `mim`: a batch norm without weights for every feature, SGD, each head by its own loss.
 */
export type HeadProtocol = 'capi' | 'mim';

/** Features of a batch by source: vectors (B, D) or tokens (B, N, D), float32. */
export type ProbeFeatures = ReadonlyMap<string, Tensor>;

export interface ProbeHeadsOptions extends HeadSchedule {
  readonly protocol: HeadProtocol;
  readonly heads: readonly HeadSpec[];
  /** Any batch of features: for their widths. */
  readonly example: ProbeFeatures;
  readonly classes: number;
  readonly generator: Generator;
  readonly device?: string;
}

/** The heads of one source. */
interface Source {
  readonly bank: HeadBank;
  readonly norm: BatchNorm | undefined;
  /** Places of its heads in the grid. */
  readonly places: readonly number[];
}

/** Many classifiers that are trained at once on the same features, exactly as each would be alone. */
export class ProbeHeads {
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #optimizer: HeadOptimizer;
  readonly #protocol: HeadProtocol;
  readonly #count: number;

  constructor(options: ProbeHeadsOptions) {
    const { heads, protocol } = options;
    this.#protocol = protocol;
    this.#count = heads.length;
    this.#sources = new Map(
      [...new Set(heads.map(({ source }) => source))].map((name) => [name, makeSource(options, name)]),
    );
    const named = [...this.#sources.values()].flatMap(({ bank, places }) =>
      bank.heads.map((parameters, i) => ({ spec: heads[places[i]!]!, parameters })),
    );
    this.#optimizer = (protocol === 'capi' ? adamWHeads : sgdHeads)(named, options);
  }

  /** The heads of a source, in the order of the grid. */
  bank(source: string): HeadBank {
    return this.#sources.get(source)!.bank;
  }

  /**
   * One update of all heads.
   * @param labels (B) class ids, or (B, C) float32 how much each class counts in each row, where some must
   * @returns the mean of the cross-entropy over the heads that it is finite for; NaN where there are none. A head that
   *   diverges spoils no other: their gradients do not meet.
   */
  train(features: ProbeFeatures, labels: Int32Array | Tensor, step: number): number {
    return scope(() => {
      const losses = [...this.#sources].map(([name, source]) => {
        const x = features.get(name)!;
        const logits_BHC = source.bank.forward(source.norm ? source.norm.forward(x, { training: true }) : x);
        return crossEntropies(logits_BHC, labels);
      });
      const all_H = ops.cat(losses);
      const sum = ops.sum(all_H);
      (this.#protocol === 'capi' ? ops.div(sum, this.#count) : sum).backward();
      for (const { bank } of this.#sources.values()) bank.shareGradients();
      this.#optimizer.step(step);
      for (const { bank } of this.#sources.values()) {
        for (const head of bank.heads) for (const parameter of head.values()) parameter.grad = null;
      }
      const finite = ops.detach(all_H).numbers().filter(Number.isFinite);
      return finite.reduce((total, loss) => total + loss, 0) / finite.length;
    });
  }

  /** Whether all weights of a head are finite, by place in the grid. */
  finite(): boolean[] {
    const found: boolean[] = [];
    for (const { bank, places } of this.#sources.values()) {
      const sums = scope(() =>
        noGrad(() => {
          // What is not finite makes the sum so.
          const perHead = [...bank.parameters()].map(([, all]) => ops.sumDim(ops.flatten(all, 1), [1]));
          return perHead.reduce((total, one_H) => ops.add(total, one_H)).numbers();
        }),
      );
      for (const [i, place] of places.entries()) found[place] = Number.isFinite(sums[i]!);
    }
    return found;
  }

  /** The class that each head finds likeliest, by place in the grid, then image. */
  predict(features: ProbeFeatures): Int32Array[] {
    const predicted: Int32Array[] = [];
    scope(() =>
      noGrad(() => {
        for (const [name, { bank, norm, places }] of this.#sources) {
          const x = features.get(name)!;
          const logits_BHC = bank.forward(norm ? norm.forward(x, { training: false }) : x);
          const classes_HB = ops.toDevice(ops.transpose(ops.argmax(logits_BHC, 2), 0, 1), 'cpu', 'int32');
          const batch = classes_HB.size(1);
          const all = ops.contiguous(classes_HB).data() as Int32Array;
          for (const [i, place] of places.entries()) predicted[place] = all.slice(i * batch, (i + 1) * batch);
        }
      }),
    );
    return predicted;
  }

  dispose(): void {
    this.#optimizer.dispose();
    for (const { bank, norm } of this.#sources.values()) {
      bank.dispose();
      norm?.dispose();
    }
  }
}

function makeSource(options: ProbeHeadsOptions, name: string): Source {
  const { heads, protocol, example, classes, generator, device = 'cpu' } = options;
  const places = heads.flatMap(({ source }, place) => (source === name ? [place] : []));
  const features = example.get(name);
  invariant(features !== undefined, `no feature ${name}`);
  const width = features.size(-1);
  const size = { heads: places.length, width, classes, generator };
  const bank =
    features.shape.length === 3
      ? new AttentionBank(size)
      : new LinearBank({ ...size, std: protocol === 'capi' ? 0.02 : 0.01 });
  const norm = protocol === 'mim' ? new BatchNorm(width, false).to({ device }) : undefined;
  return { bank: bank.to({ device }), norm, places };
}

/** The mean cross-entropy of the batch by head (H); of counts, over all that is counted. */
function crossEntropies(logits_BHC: Tensor, labels: Int32Array | Tensor): Tensor {
  return scope(() => {
    const [batch, heads] = logits_BHC.shape as [number, number, number];
    const likelihoods_BHC = ops.logSoftmax(logits_BHC, 2);
    if (labels instanceof Tensor) {
      const counts_BC = ops.toDevice(labels, logits_BHC.device, 'float32');
      const counted_BHC = ops.mul(likelihoods_BHC, ops.unsqueeze(counts_BC, 1));
      return ops.div(ops.sumDim(counted_BHC, [0, 2]), ops.neg(ops.sum(counts_BC)));
    }
    const labels_B = ops.toDevice(Tensor.from(labels, [batch]), logits_BHC.device, 'int64');
    const labels_BH1 = ops.expand(ops.reshape(labels_B, [batch, 1, 1]), [batch, heads, 1]);
    return ops.div(ops.sumDim(ops.gather(likelihoods_BHC, 2, labels_BH1), [0, 2]), -batch);
  });
}
