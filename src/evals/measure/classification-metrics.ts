/** In percent. */
export type ClassificationMetrics = { readonly top1: number; readonly meanPerClass: number };

/**
 * Share of images that are right, and the mean over classes of the share within each; classes without a test image do
 * not count.
 *
 * @param weights how often each image counts (once)
 */
export function classificationMetrics(
  predicted: Int32Array,
  labels: Int32Array,
  classes: number,
  weights?: Uint32Array,
): ClassificationMetrics {
  const right = new Float64Array(classes);
  const all = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) {
    const weight = weights?.[i] ?? 1;
    all[labels[i]!]! += weight;
    if (predicted[i] === labels[i]) right[labels[i]!]! += weight;
  }
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const shares = Float64Array.from(right, (value, c) => (all[c]! > 0 ? value / all[c]! : 0));
  return {
    top1: (100 * sum(right)) / sum(all),
    meanPerClass: (100 * sum(shares)) / all.filter((count) => count > 0).length,
  };
}
