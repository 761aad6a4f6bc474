import { optimalAssignment } from './optimal-assignment.js';

/** How well a clustering agrees with classes, each about 0 by chance (accuracy: the largest class) and 1 at best. */
export interface ClusterAgreement {
  /** Share of samples that are right when every cluster is named after one class, in the best way (ACC). */
  readonly accuracy: number;
  /** Mutual information over the mean of the entropies (NMI). */
  readonly nmi: number;
  /** The same, less what chance gives (AMI). */
  readonly ami: number;
  /** Agreement over pairs of samples, less what chance gives (ARI). */
  readonly ari: number;
}

/** Counts of samples by class and cluster, with their sums. */
interface Contingency {
  readonly samples: number;
  /** One row a class, one column a cluster. */
  readonly cells: readonly Float64Array[];
  readonly classes: Float64Array;
  readonly clusters: Float64Array;
}

/**
 * Agreement of two labellings of the same samples; ids are any integers.
 *
 * The definitions are those of scikit-learn (`normalized_mutual_info_score` and `adjusted_mutual_info_score` with arithmetic
 * means, `adjusted_rand_score`) and of MIM-Refiner's clustering accuracy (paper, appendix on clustering).
 *
 * @throws {RangeError} the lengths differ, or there are no samples.
 */
export function clusterAgreement(labels: ArrayLike<number>, clusters: ArrayLike<number>): ClusterAgreement {
  if (labels.length !== clusters.length || labels.length === 0) {
    throw new RangeError(
      `Expected as many clusters as labels, at least one, received ${clusters.length} and ${labels.length}.`,
    );
  }
  const table = count(labels, clusters);
  const right = matchClusters(table).reduce(
    (sum, column, row) => sum + (column < 0 ? 0 : table.cells[row]![column]!),
    0,
  );
  return { accuracy: right / table.samples, ...information(table), ari: adjustedRand(table) };
}

/** 1 for each sample whose cluster is named after its class in the best naming (see ACC), else 0. */
export function correctlyClustered(labels: ArrayLike<number>, clusters: ArrayLike<number>): Uint8Array {
  const columnOf = matchClusters(count(labels, clusters));
  const [classRank, clusterRank] = [ranks(labels), ranks(clusters)];
  return Uint8Array.from(Array.from(labels), (label, i) =>
    columnOf[classRank.get(label)!] === clusterRank.get(clusters[i]!) ? 1 : 0,
  );
}

/** The cluster of each class, or -1, so that as many samples as possible are right. */
function matchClusters({ cells }: Contingency): number[] {
  return optimalAssignment(cells.map((row) => row.map((n) => -n)));
}

function count(labels: ArrayLike<number>, clusters: ArrayLike<number>): Contingency {
  const rowOf = ranks(labels);
  const columnOf = ranks(clusters);
  const cells = Array.from({ length: rowOf.size }, () => new Float64Array(columnOf.size));
  for (let i = 0; i < labels.length; i++) cells[rowOf.get(labels[i]!)!]![columnOf.get(clusters[i]!)!]!++;
  const sums = new Float64Array(columnOf.size);
  for (const row of cells) {
    row.forEach((n, column) => {
      sums[column]! += n;
    });
  }
  return {
    samples: labels.length,
    cells,
    classes: Float64Array.from(cells, (row) => row.reduce((sum, n) => sum + n, 0)),
    clusters: sums,
  };
}

function ranks(ids: ArrayLike<number>): Map<number, number> {
  return new Map([...new Set(Array.from(ids))].sort((a, b) => a - b).map((id, rank) => [id, rank]));
}

function information(table: Contingency): Pick<ClusterAgreement, 'nmi' | 'ami'> {
  const { samples, cells, classes, clusters } = table;
  // One class in one cluster agree perfectly, though there is no information to share.
  if (classes.length === 1 && clusters.length === 1) return { nmi: 1, ami: 1 };
  let mutual = 0;
  cells.forEach((row, i) => {
    row.forEach((n, j) => {
      if (n > 0) mutual += (n / samples) * Math.log((n * samples) / (classes[i]! * clusters[j]!));
    });
  });
  const mean = (entropy(classes, samples) + entropy(clusters, samples)) / 2;
  const expected = expectedMutualInformation(table);
  const room = mean - expected;
  const nmi = mutual <= Number.EPSILON ? 0 : mutual / mean;
  const ami = (mutual - expected) / (room < 0 ? Math.min(room, -Number.EPSILON) : Math.max(room, Number.EPSILON));
  return { nmi, ami: mutual <= Number.EPSILON && expected === 0 ? 0 : ami };
}

function entropy(counts: Float64Array, samples: number): number {
  return -counts.reduce((sum, n) => sum + (n / samples) * Math.log(n / samples), 0);
}

/** Mean of the mutual information over all labellings with these sizes (Vinh, Epps and Bailey 2010, equation 24a). */
function expectedMutualInformation({ samples, classes, clusters }: Contingency): number {
  const logFactorial = new Float64Array(samples + 1);
  for (let n = 2; n <= samples; n++) logFactorial[n] = logFactorial[n - 1]! + Math.log(n);
  const lf = (n: number) => logFactorial[n]!;
  let expected = 0;
  for (const a of classes) {
    for (const b of clusters) {
      const fixed = lf(a) + lf(b) + lf(samples - a) + lf(samples - b) - lf(samples);
      for (let n = Math.max(1, a + b - samples); n <= Math.min(a, b); n++) {
        const chance = Math.exp(fixed - lf(n) - lf(a - n) - lf(b - n) - lf(samples - a - b + n));
        expected += (n / samples) * Math.log((samples * n) / (a * b)) * chance;
      }
    }
  }
  return expected;
}

function adjustedRand({ samples, cells, classes, clusters }: Contingency): number {
  const squares = (counts: Float64Array) => counts.reduce((sum, n) => sum + n * n, 0);
  const both = cells.reduce((sum, row) => sum + squares(row), 0);
  const together = both - samples;
  const onlyClass = squares(classes) - both;
  const onlyCluster = squares(clusters) - both;
  const apart = samples * samples - samples - together - onlyClass - onlyCluster;
  if (onlyClass === 0 && onlyCluster === 0) return 1;
  const scale = (together + onlyClass) * (onlyClass + apart) + (together + onlyCluster) * (onlyCluster + apart);
  return (2 * (together * apart - onlyClass * onlyCluster)) / scale;
}
