import type { Tensor } from '../../tensor/tensor.js';
import type { VitInput } from '../vit-options.js';
import type { NameMap } from './name-map.js';

/** Encoders that were published in the same layout. */
export interface PublishedFamily {
  /** As in `weights.pth?family=mae`. */
  readonly name: string;
  /** Whether a file's names, and where they do not tell, its values, are of this family. */
  readonly has: (state: ReadonlyMap<string, Tensor>) => boolean;
  readonly names: NameMap;
  /** Under which key files have the state dict; alone by default. */
  readonly container?: 'model' | 'state_dict';
  /** Ours that a file need not have: norms that then change nothing but the scale. */
  readonly mayLack?: readonly string[];
  /** What shapes do not tell. Grids of position tables are filled in. */
  readonly options: Omit<VitInput, 'patchSize' | 'width' | 'depth' | 'heads' | 'positions'> & {
    readonly positions: PositionsOf;
  };
  /** Number of heads by width where it is not the usual one. */
  readonly headsByWidth?: Readonly<Record<number, number>>;
}

type Positions = VitInput['positions'];
/** Positions without the size of their grid. */
export type PositionsOf = {
  [Kind in Positions['kind']]: Omit<Extract<Positions, { kind: Kind }>, 'rows' | 'columns'>;
}[Positions['kind']];

/** Heads by width in the usual sizes: Ti, S, B, L, H, I-JEPA's g, DINOv2's g, 2B. */
export const usualHeads: Readonly<Record<number, number>> = {
  192: 3,
  384: 6,
  768: 12,
  1024: 16,
  1280: 16,
  1408: 16,
  1536: 24,
  2560: 32,
};

/** Names of timm, which most others follow. */
const blocks: NameMap = {
  'blocks.#.norm1.*': 'blocks.#.residual1.norm.*',
  'blocks.#.attn.qkv.*': 'blocks.#.residual1.fn.{q,k,v}_proj.*',
  'blocks.#.attn.proj.*': 'blocks.#.residual1.fn.proj.*',
  'blocks.#.norm2.*': 'blocks.#.residual2.norm.*',
  'blocks.#.mlp.fc1.*': 'blocks.#.residual2.fn.fc1.*',
  'blocks.#.mlp.fc2.*': 'blocks.#.residual2.fn.fc2.*',
};
const patches: NameMap = { 'patch_embed.proj.*': 'patch_embed.*' };
const plain: NameMap = {
  cls_token: 'class_token',
  pos_embed: 'positions.table',
  ...patches,
  ...blocks,
  'norm.*': 'norm.*',
};
const scales: NameMap = {
  'blocks.#.ls1.gamma': 'blocks.#.residual1.scale',
  'blocks.#.ls2.gamma': 'blocks.#.residual2.scale',
};

const dinov2: NameMap = {
  mask_token: null,
  register_tokens: 'registers',
  ...scales,
  ...plain,
};
const dinov2Swiglu: NameMap = {
  'blocks.#.mlp.w12.*': 'blocks.#.residual2.fn.fc1.*',
  'blocks.#.mlp.w3.*': 'blocks.#.residual2.fn.fc2.*',
  ...dinov2,
};

const fixed = { kind: 'table' } as const;
const learned = { kind: 'table', learned: true } as const;
const any = (state: ReadonlyMap<string, Tensor>, ...starts: string[]) =>
  [...state.keys()].some((name) => starts.some((start) => name.startsWith(start)));

/**
 * The known families, the first that has a file counts. Sources: MIM-Refiner pretrained_initializer.py and hub/, CAPI
 * baselines/, and the repositories that published the weights.
 */
export const families: readonly PublishedFamily[] = [
  {
    // MIM-Refiner's refined MAE, dBOT and CrossMAE encoders.
    name: 'refined',
    container: 'state_dict',
    has: (state) => state.has('pos_embed.embed') && !state.has('embed_norm.weight'),
    names: {
      'cls_tokens.tokens': 'class_token',
      'pos_embed.embed': 'positions.table',
      ...patches,
      ...blocks,
      'norm.*': 'norm.*',
    },
    options: { positions: fixed },
  },
  {
    // Its refined data2vec 2.0 encoders.
    name: 'refined-post-norm',
    container: 'state_dict',
    has: (state) => state.has('pos_embed.embed'),
    names: {
      'cls_tokens.tokens': 'class_token',
      'pos_embed.embed': 'positions.table',
      'embed_norm.*': 'embed_norm.*',
      ...patches,
      ...blocks,
    },
    options: { positions: fixed, placement: 'post', embedNorm: true, finalNorm: 'none' },
  },
  {
    name: 'data2vec2',
    container: 'model',
    has: (state) => any(state, 'modality_encoders.IMAGE.'),
    names: {
      'modality_encoders.IMAGE.extra_tokens': 'class_token',
      'modality_encoders.IMAGE.fixed_positional_encoder.positions': 'positions.table',
      'modality_encoders.IMAGE.local_encoder.proj.*': 'patch_embed.*',
      'modality_encoders.IMAGE.context_encoder.norm.*': 'embed_norm.*',
      'modality_encoders.IMAGE.decoder.*': null,
      '_ema.*': null,
      ...blocks,
    },
    options: { positions: fixed, placement: 'post', embedNorm: true, finalNorm: 'none' },
  },
  {
    name: 'aim',
    has: (state) => any(state, 'trunk.blocks.'),
    names: {
      'preprocessor.patchifier.proj.*': 'patch_embed.*',
      'preprocessor.patchifier.norm.*': 'patch_norm.*',
      'trunk.blocks.#.norm_1.*': 'blocks.#.residual1.norm.*',
      'trunk.blocks.#.attn.qkv.*': 'blocks.#.residual1.fn.{q,k,v}_proj.*',
      'trunk.blocks.#.attn.proj.*': 'blocks.#.residual1.fn.proj.*',
      'trunk.blocks.#.norm_2.*': 'blocks.#.residual2.norm.*',
      'trunk.blocks.#.mlp.*': 'blocks.#.residual2.fn.*',
      'trunk.post_trunk_norm.*': null,
      'head.*': null,
    },
    options: {
      positions: { kind: 'computed' },
      classToken: false,
      patchNorm: true,
      finalNorm: 'none',
      outputBlock: 18,
    },
    headsByWidth: { 1536: 12, 2048: 16, 3072: 24, 4096: 32 },
  },
  {
    name: 'beit',
    container: 'model',
    has: (state) => state.has('rel_pos_bias.relative_position_bias_table'),
    names: {
      'rel_pos_bias.relative_position_bias_table': 'positions.table',
      'rel_pos_bias.relative_position_index': null,
      'blocks.#.attn.q_bias': 'blocks.#.residual1.fn.q_proj.bias',
      'blocks.#.attn.v_bias': 'blocks.#.residual1.fn.v_proj.bias',
      'blocks.#.gamma_1': 'blocks.#.residual1.scale',
      'blocks.#.gamma_2': 'blocks.#.residual2.scale',
      mask_token: null,
      'lm_head.*': null,
      ...plain,
    },
    options: { positions: { kind: 'relative' }, layerScale: 0.1 },
  },
  {
    // Its encoder class has no final norm: one that only standardises stands in.
    name: 'crossmae',
    container: 'model',
    has: (state) => any(state, 'dec_norms.', 'wfm.'),
    names: { mask_token: null, 'decoder_*': null, 'dec_norms.*': null, 'wfm.*': null, ...plain },
    mayLack: ['norm.weight', 'norm.bias'],
    options: { positions: fixed },
  },
  {
    // MAE and dBOT, with or without their decoders; without, the class token's zero position gives them away.
    name: 'mae',
    container: 'model',
    has: (state) => any(state, 'decoder_') || (state.has('cls_token') && hasZeroClassPosition(state)),
    names: { mask_token: null, 'decoder_*': null, ...plain },
    options: { positions: fixed },
  },
  ...dinov2Families(),
  {
    name: 'ijepa',
    has: (state) => state.has('pos_embed') && !state.has('cls_token'),
    names: plain,
    options: { positions: fixed, classToken: false },
  },
  {
    name: 'timm',
    has: (state) => state.has('head.weight') || state.has('reg_token') || any(state, 'blocks.0.ls1.'),
    names: { reg_token: 'registers', 'head.*': null, ...scales, ...plain },
    options: { positions: { ...learned, antialias: true }, layerScale: 1 },
  },
  {
    // DINO, and iBOT, which has a mask token beside.
    name: 'dino',
    has: (state) => state.has('pos_embed') && state.has('cls_token'),
    names: { masked_embed: null, 'head.*': null, ...plain },
    options: { positions: { ...learned, offset: 0.1 } },
  },
];

function hasZeroClassPosition(state: ReadonlyMap<string, Tensor>): boolean {
  const table = state.get('pos_embed');
  if (table === undefined || table.shape.length !== 3) return false;
  const [, count, width] = table.shape as [number, number, number];
  const side = Math.round(Math.sqrt(count - 1));
  return (
    side ** 2 === count - 1 &&
    width > 0 &&
    table
      .data()
      .subarray(0, width)
      .every((value) => Number(value) === 0)
  );
}

/** S, B and L have plain MLPs, g has SwiGLU; the hub resizes positions in another way for encoders with registers. */
function dinov2Families(): PublishedFamily[] {
  return (['gelu', 'swiglu'] as const).flatMap((activation) => {
    const has = (state: ReadonlyMap<string, Tensor>) =>
      state.has('mask_token') &&
      any(state, 'blocks.0.ls1.') &&
      any(state, 'blocks.0.mlp.w12.') === (activation === 'swiglu');
    const shared = { names: activation === 'swiglu' ? dinov2Swiglu : dinov2 };
    const name = activation === 'swiglu' ? 'dinov2-swiglu' : 'dinov2';
    return [
      {
        ...shared,
        name: `${name}-registers`,
        has: (state: ReadonlyMap<string, Tensor>) => has(state) && state.has('register_tokens'),
        options: { positions: { ...learned, antialias: true }, layerScale: 1, activation },
      },
      { ...shared, name, has, options: { positions: { ...learned, offset: 0.1 }, layerScale: 1, activation } },
    ];
  });
}
