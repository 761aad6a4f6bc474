import { type CapiConfig, networkOptions } from './capi-config.js';

/** Matrix products of one shape: (rows x inner) by (inner x columns), `batch` of them at once, `times` in a step. */
export interface Product {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly batch: number;
  readonly times: number;
  /** Which factor lies transposed in memory: the right one of a layer, the left one of a weight's gradient. */
  readonly transposed: 'left' | 'right' | 'none';
}

/** A linear layer's products: forward, and backward to the weight and to the input. */
type Passes = { readonly toWeight: boolean; readonly toInput: boolean };
const forwardOnly: Passes = { toWeight: false, toInput: false };
const trained: Passes = { toWeight: true, toInput: true };

/**
 * The matrix products of one training step as CAPI was published: the teacher's forward pass over all patches, the
 * prototypes' forward pass and weight gradient, and the student's forward and backward passes over visible and predicted
 * patches, without the samples that drop path leaves out.
 */
export function stepProducts(config: CapiConfig): Product[] {
  const { encoder, predictor } = networkOptions(config);
  const batch = config.optim.batchSize;
  const patches = (config.data.imageSize / encoder.patchSize) ** 2;
  const masked = Math.floor(patches * config.mask.ratio);
  const predicted = Math.max(1, Math.floor(masked * config.mask.predict));
  const visible = patches - masked;
  const { prototypes } = config.capi;
  const { rate, kind } = config.model.dropPath;
  const kept = rate > 0 && kind === 'efficient' ? Math.max(1, Math.floor(batch * (1 - rate))) : batch;
  const embed = (rows: number, passes: Passes) => linear(rows, 3 * encoder.patchSize ** 2, encoder.width, 1, passes);
  const tokens = visible + encoder.registers;
  const { width, contextWidth, depth, heads } = predictor;
  return [
    ...embed(batch * patches, forwardOnly),
    ...blocks(batch, patches + encoder.registers, encoder, forwardOnly),
    ...linear(batch * patches, encoder.width, prototypes, 1, { toWeight: true, toInput: false }),
    // The patch embedding has no gradient to pass on.
    ...embed(batch * visible, { toWeight: true, toInput: false }),
    ...blocks(kept, tokens, encoder, trained),
    ...linear(kept * predicted, width, width, 2 * depth, trained),
    ...linear(kept * tokens, contextWidth, width, 2 * depth, trained),
    ...mlp(kept * predicted, width, depth, trained),
    ...attention(kept, predicted, tokens, { width, heads, depth }, trained),
    ...linear(batch * predicted, width, prototypes, 1, trained),
  ];
}

/** Floating-point operations of products, two for each multiply-add. */
export function productFlops(products: readonly Product[]): number {
  return products.reduce(
    (sum, { rows, inner, columns, batch, times }) => sum + 2 * rows * inner * columns * batch * times,
    0,
  );
}

interface Sizes {
  readonly width: number;
  readonly heads: number;
  readonly depth: number;
}

function blocks(samples: number, tokens: number, sizes: Sizes, passes: Passes): Product[] {
  const { width, depth } = sizes;
  return [
    ...linear(samples * tokens, width, width, 4 * depth, passes),
    ...mlp(samples * tokens, width, depth, passes),
    ...attention(samples, tokens, tokens, sizes, passes),
  ];
}

function mlp(rows: number, width: number, times: number, passes: Passes): Product[] {
  return [...linear(rows, width, 4 * width, times, passes), ...linear(rows, 4 * width, width, times, passes)];
}

function linear(rows: number, inputs: number, outputs: number, times: number, passes: Passes): Product[] {
  const product = (rows: number, inner: number, columns: number, transposed: Product['transposed']): Product => ({
    ...{ rows, inner, columns, transposed, times },
    batch: 1,
  });
  return [
    product(rows, inputs, outputs, 'right'),
    ...(passes.toWeight ? [product(outputs, rows, inputs, 'left')] : []),
    ...(passes.toInput ? [product(rows, outputs, inputs, 'none')] : []),
  ];
}

/** Scores and weighted sums; their gradients are four products (the scores that are made again are not counted). */
function attention(samples: number, queries: number, keys: number, sizes: Sizes, passes: Passes): Product[] {
  const { width, heads, depth } = sizes;
  const channels = width / heads;
  const each = { batch: samples * heads, times: (passes.toInput ? 3 : 1) * depth } as const;
  return [
    { rows: queries, inner: channels, columns: keys, transposed: 'right', ...each },
    { rows: queries, inner: keys, columns: channels, transposed: 'none', ...each },
  ];
}
