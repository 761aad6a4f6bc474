// N images · S side in pixels · P patches of an image · A pixels of a patch

/** Label maps (N, S, S) cut into patches (N, P, A): patches and the pixels within each row by row. */
export function labelBlocks(pixels: Uint8Array, size: number, patchSize: number): Uint8Array {
  const blocks = new Uint8Array(pixels.length);
  const side = size / patchSize;
  let at = 0;
  for (let start = 0; start < pixels.length; start += size * size) {
    for (let patch = 0; patch < side * side; patch++) {
      const corner = start + Math.floor(patch / side) * patchSize * size + (patch % side) * patchSize;
      for (let row = 0; row < patchSize; row++, at += patchSize) {
        blocks.set(pixels.subarray(corner + row * size, corner + row * size + patchSize), at);
      }
    }
  }
  return blocks;
}

/** The most frequent label of each block of `area`; of equally frequent ones the smallest (`torch.mode` on the CPU). */
export function modalLabels(blocks: Uint8Array, area: number): Uint8Array {
  const counts = new Uint32Array(256);
  const modal = new Uint8Array(blocks.length / area);
  for (let block = 0; block < modal.length; block++) {
    modal[block] = mode(blocks, block * area, area, counts);
  }
  return modal;
}

/**
 * Labels of every pixel of query patches: the most frequent one among the neighbours' patches at that pixel, the smallest
 * of equally frequent ones. Source: CAPI eval_segmentation.py.
 *
 * @param indices (queries, `stride`) rows of `blocks`, nearest first; the first `k` of each vote
 * @param blocks (rows, `area`) labels of the training patches
 * @returns (queries, `area`)
 */
export function voteLabels(
  indices: Int32Array,
  stride: number,
  k: number,
  blocks: Uint8Array,
  area: number,
): Uint8Array {
  const queries = indices.length / stride;
  const voted = new Uint8Array(queries * area);
  const counts = new Uint32Array(256);
  const labels = new Uint8Array(k);
  const offsets = new Float64Array(k);
  for (let q = 0; q < queries; q++) {
    for (let i = 0; i < k; i++) offsets[i] = indices[q * stride + i]! * area;
    for (let pixel = 0; pixel < area; pixel++) {
      for (let i = 0; i < k; i++) labels[i] = blocks[offsets[i]! + pixel]!;
      voted[q * area + pixel] = mode(labels, 0, k, counts);
    }
  }
  return voted;
}

/** @param counts 256 zeros, which are zeros again afterwards */
function mode(labels: Uint8Array, start: number, length: number, counts: Uint32Array): number {
  let best = 0;
  let most = 0;
  for (let i = start; i < start + length; i++) {
    const label = labels[i]!;
    const count = ++counts[label]!;
    if (count > most || (count === most && label < best)) {
      best = label;
      most = count;
    }
  }
  for (let i = start; i < start + length; i++) counts[labels[i]!] = 0;
  return best;
}
