import type { VitOptions } from './vit-options.js';

type Shape = readonly number[];

/**
 * Names and shapes of the parameters and buffers of a {@link VisionTransformer}, in the order of its state, without making
 * one: for checking files before memory is taken, and for counting.
 */
export function vitLayout(options: VitOptions): Map<string, Shape> {
  const { width, patchSize, heads, positions, registers, norm: kind, finalNorm } = options;
  const layout = new Map<string, Shape>();
  const norm = (name: string) => {
    layout.set(`${name}.weight`, [width]);
    if (kind.kind === 'layer') layout.set(`${name}.bias`, [width]);
  };
  if (options.classToken) layout.set('class_token', [1, 1, width]);
  if (registers !== undefined) layout.set('registers', [1, registers, width]);
  if (positions.kind === 'table') layout.set('positions.table', [1, positions.rows, positions.columns, width]);
  if (positions.kind === 'relative')
    layout.set('positions.table', [(2 * positions.rows - 1) * (2 * positions.columns - 1) + 3, heads]);
  for (let block = 0; block < options.depth; block++) {
    for (const residual of ['residual1', 'residual2'] as const) {
      const branch = `blocks.${block}.${residual}`;
      if (options.layerScale !== undefined) layout.set(`${branch}.scale`, [width]);
      norm(`${branch}.norm`);
      for (const [name, shape] of residual === 'residual1' ? attentionLayout(options) : mlpLayout(options))
        layout.set(`${branch}.fn.${name}`, shape);
    }
  }
  layout.set('patch_embed.weight', [width, 3, patchSize, patchSize]);
  layout.set('patch_embed.bias', [width]);
  if (options.patchNorm) norm('patch_norm');
  if (options.embedNorm) norm('embed_norm');
  if (finalNorm === 'affine') norm('norm');
  return layout;
}

function* attentionLayout({ width, heads, qkvBias, biases, positions }: VitOptions): Generator<[string, Shape]> {
  for (const map of ['q_proj', 'k_proj', 'v_proj', 'proj']) {
    yield [`${map}.weight`, [width, width]];
    const bias = map === 'proj' ? biases : qkvBias === 'all' || (qkvBias === 'query-value' && map !== 'k_proj');
    if (bias) yield [`${map}.bias`, [width]];
  }
  if (positions.kind === 'rope') yield ['rope.freqs', [2, width / heads]];
}

function* mlpLayout({ width, mlpWidth = 4 * width, activation, biases }: VitOptions): Generator<[string, Shape]> {
  const inner = activation === 'swiglu' ? 2 * mlpWidth : mlpWidth;
  yield ['fc1.weight', [inner, width]];
  if (biases) yield ['fc1.bias', [inner]];
  yield ['fc2.weight', [width, mlpWidth]];
  if (biases) yield ['fc2.bias', [width]];
}
