import { z } from 'zod';
import { CheckpointError, UsageError } from '../../support/errors.js';
import { suggestion } from '../../support/nearest-name.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { vitLayout } from '../vit-layout.js';
import { type VitInput, type VitOptions, vitOptionsSchema } from '../vit-options.js';
import { families, type PublishedFamily, usualHeads } from './families.js';
import { publishedName, renamed } from './name-map.js';

/** What the names and shapes of a file may leave open. */
export interface PublishedHints {
  /** A name of {@link families}; recognised by the names of the weights by default. */
  readonly family?: string | undefined;
  /** Attention heads; by the width in published sizes. */
  readonly heads?: number | undefined;
}

/** A vision transformer from a file: how to build it, and its state in our names. */
export interface PublishedVit {
  readonly options: VitOptions;
  readonly state: ReadonlyMap<string, Tensor>;
}

/**
 * Understands the state dict of a published vision transformer: its family by the names of its weights, its sizes by their
 * shapes. Tensors in the result are the given ones, views of them, or new; the caller owns all.
 * @param state published names, without the prefixes of wrappers
 * @throws {UsageError} the file leaves something open that no hint tells.
 * @throws {CheckpointError} it is of no known family, or names or shapes do not fit; all problems are listed.
 */
export function readPublishedVit(state: ReadonlyMap<string, Tensor>, hints: PublishedHints): PublishedVit {
  const family = familyOf(state, hints.family);
  const { state: ours, leftOver } = renamed(state, family.names);
  try {
    const options = fitted(ours, leftOver, family, hints.heads);
    return { options, state: ours };
  } catch (error) {
    const given = new Set(state.values());
    for (const tensor of ours.values()) if (!given.has(tensor)) tensor.dispose();
    throw error;
  }
}

/** Gives the tensors the shapes of ours and adds those that may be absent. */
function fitted(
  ours: Map<string, Tensor>,
  leftOver: readonly string[],
  family: PublishedFamily,
  heads: number | undefined,
): VitOptions {
  const table = ours.get('positions.table');
  if (table && family.options.positions.kind === 'table') placeTable(ours, table);
  const shapes = new Map([...ours].map(([name, tensor]) => [name, tensor.shape]));
  const options = optionsOfFamily(shapes, family, heads);
  check(ours, leftOver, family, options);
  for (const name of family.mayLack ?? []) {
    if (!ours.has(name)) ours.set(name, (name.endsWith('.weight') ? ops.ones : ops.zeros)([options.width], 'float32'));
  }
  for (const [name, shape] of vitLayout(options)) {
    const tensor = ours.get(name)!;
    if (tensor.shape.length !== shape.length) ours.set(name, ops.reshape(tensor, shape));
  }
  return options;
}

function familyOf(state: ReadonlyMap<string, Tensor>, asked: string | undefined): PublishedFamily {
  const names = families.map(({ name }) => name);
  const found = families.find(({ name, has }) => (asked === undefined ? has(state) : name === asked));
  if (found) return found;
  if (asked !== undefined)
    throw new UsageError(`Expected a family of ${names.join(', ')}, received ${asked}${suggestion(asked, names)}`);
  throw new CheckpointError(
    `Expected the weights of CAPI or of a family of ${names.join(', ')}, found names such as ${[...state.keys()].slice(0, 3).join(', ')}.`,
    { hint: 'Name the family that comes nearest to see what does not fit: weights.pth?family=timm.' },
  );
}

/** Turns a table (1, N, D) or (1, N + 1, D) into (1, Y, X, D); the class token's row is added to the class token. */
function placeTable(state: Map<string, Tensor>, table: Tensor): void {
  if (table.shape.length !== 3) return;
  const [, count, width] = table.shape as [number, number, number];
  const token = state.get('class_token');
  const side = Math.floor(Math.sqrt(count));
  const first = side ** 2 === count ? 0 : 1;
  if (side < 1 || (side ** 2 !== count && (side ** 2 !== count - 1 || token === undefined))) {
    throw new CheckpointError(`Expected positions for a square grid of patches, received ${count} of width ${width}.`);
  }
  scope(() => {
    const grid = ops.unflatten(ops.narrow(table, 1, first, side ** 2), 1, [side, side]);
    // The class token and its position only ever appear as a sum.
    const sum = first === 1 ? ops.add(token!, ops.narrow(table, 1, 0, 1)) : token;
    state.set('positions.table', grid.retain());
    if (first === 1) state.set('class_token', sum!.retain());
  });
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * The options of an encoder of a family by the shapes of its weights (our names). Missing weights count as of size 1.
 * @throws {UsageError} the number of heads is needed. @throws {CheckpointError} the sizes do not fit each other.
 */
export function optionsOfFamily(shapes: Shapes, family: PublishedFamily, heads: number | undefined): VitOptions {
  const shape = (name: string) => shapes.get(name) ?? [];
  const block = (name: string) => `blocks.0.${name}`;
  const [width = 1, , patchSize = 1] = shape('patch_embed.weight');
  const depths = [...shapes.keys()].map((name) => Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? -1));
  // There are no more blocks than weights, whatever number a name claims.
  const depth = Math.min(depths.reduce((most, index) => Math.max(most, index), 0) + 1, shapes.size);
  const mlpWidth = shape(block('residual2.fn.fc2.weight')).at(1) ?? 4 * width;
  const biased = (name: string) => shapes.has(block(`${name}.bias`));
  const { layerScale, outputBlock, ...fixed } = family.options;
  const given: VitInput = {
    ...fixed,
    patchSize,
    width,
    depth,
    mlpWidth,
    heads: heads ?? headsOf(shapes, family, width),
    positions: positionsOf(shape('positions.table'), family),
    registers: shape('registers').at(1),
    activation: shape(block('residual2.fn.fc1.weight'))[0] === 2 * mlpWidth ? 'swiglu' : 'gelu',
    qkvBias: biased('residual1.fn.k_proj') ? 'all' : biased('residual1.fn.q_proj') ? 'query-value' : 'none',
    biases: biased('residual1.fn.proj'),
    layerScale: shapes.has(block('residual1.scale')) ? layerScale : undefined,
    outputBlock: outputBlock === undefined ? undefined : Math.min(outputBlock, depth - 1),
  };
  const parsed = vitOptionsSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new CheckpointError(
    `Expected weights of the family ${family.name}; their shapes do not fit: ${z.prettifyError(parsed.error).split('\n').join(' ')}.`,
    { hint: 'Give another number of heads (weights.pth?heads=12) or another family (weights.pth?family=timm).' },
  );
}

/** How many attention heads weights of a family (our names) are taken to have, where they tell. */
export function knownHeads(shapes: Shapes, family: PublishedFamily, width: number): number | undefined {
  const relative = family.options.positions.kind === 'relative' ? shapes.get('positions.table')?.[1] : undefined;
  return relative ?? family.headsByWidth?.[width] ?? usualHeads[width];
}

function headsOf(shapes: Shapes, family: PublishedFamily, width: number): number {
  const heads = knownHeads(shapes, family, width);
  if (heads !== undefined) return heads;
  throw new UsageError(`The weights do not tell into how many attention heads their ${width} channels are split.`, {
    hint: 'Say it behind the file: weights.pth?heads=12.',
  });
}

function positionsOf(table: readonly number[], { options }: PublishedFamily): VitInput['positions'] {
  const { positions } = options;
  if (positions.kind === 'table') return { ...positions, rows: table[1] ?? 1, columns: table[2] ?? 1 };
  if (positions.kind !== 'relative') return positions;
  // (2Y - 1)(2X - 1) offsets of a square grid, and three for the class token.
  const side = Math.max(1, Math.round((Math.sqrt((table[0] ?? 4) - 3) + 1) / 2) || 1);
  return { ...positions, rows: side, columns: side };
}

/** Names and shapes against those of the described encoder, before it is built; all problems in published names. */
function check(
  state: ReadonlyMap<string, Tensor>,
  leftOver: readonly string[],
  family: PublishedFamily,
  options: VitOptions,
): void {
  const layout = vitLayout(options);
  const problems = leftOver.map((name) => `not part of it: ${name}`);
  const shown = (name: string) => publishedName(name, family.names) ?? name;
  for (const name of state.keys()) if (!layout.has(name)) problems.push(`not part of it: ${shown(name)}`);
  for (const [name, shape] of layout) {
    const given = state.get(name);
    if (given === undefined) {
      if (!family.mayLack?.includes(name)) problems.push(`missing: ${shown(name)}`);
    } else if (withoutOnes(given.shape) !== withoutOnes(shape))
      problems.push(`${shown(name)}: expected shape [${shape}], received [${given.shape}]`);
  }
  if (problems.length === 0) return;
  const listed = [...new Set(problems)];
  const more = listed.length > 12 ? `\n  and ${listed.length - 12} more` : '';
  throw new CheckpointError(
    `Expected weights of the family ${family.name}; they do not fit:\n  ${listed.slice(0, 12).join('\n  ')}${more}`,
    { hint: 'Give the file as it was published, or name its family: weights.pth?family=timm.' },
  );
}

/** Leading axes of length one differ between publications, as of class tokens. */
const withoutOnes = (shape: readonly number[]) => shape.join().replace(/^(1,)+/, '');
