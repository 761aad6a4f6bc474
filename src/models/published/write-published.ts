import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../../support/errors.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { vitLayout } from '../vit-layout.js';
import type { VitOptions } from '../vit-options.js';
import { families, type PublishedFamily } from './families.js';
import { publishedName } from './name-map.js';
import { knownHeads, optionsOfFamily } from './read-published.js';

/** An encoder's weights in the layout of a family. */
export interface PublishedState {
  readonly family: string;
  /** What a reader does not see by names and shapes, to be said behind the file: `family=timm&heads=2`, or nothing. */
  readonly hints: string;
  /** Under which key files of the family have the state dict, where they do. */
  readonly container: string | undefined;
  /** Tensors in published names and shapes, new ones or those given; the caller owns the new ones. */
  readonly state: ReadonlyMap<string, Tensor>;
}

/** Families that an encoder of these options can be written as: reading it again gives the same encoder. */
function familiesFor(options: VitOptions): string[] {
  return families.filter((family) => fits(family, options)).map(({ name }) => name);
}

/**
 * A vision transformer's state in the layout of a published family, the first that can hold it unless one is named.
 * @param state in our names
 * @throws {UsageError} no family can, or not the named one.
 */
export function toPublished(
  options: VitOptions,
  state: ReadonlyMap<string, Tensor>,
  layout: string | undefined,
): PublishedState {
  const possible = familiesFor(options);
  const name = layout ?? possible[0];
  const family = families.find((known) => known.name === name && possible.includes(known.name));
  if (family === undefined) {
    throw new UsageError(
      `Expected a layout that this encoder can be written in (${possible.join(', ') || 'there is none'}), received ${name ?? 'none'}.`,
    );
  }
  const joined = new Map<string, Tensor[]>();
  for (const ours of vitLayout(options).keys()) {
    const published = publishedName(ours, family.names)!;
    joined.set(published, [...(joined.get(published) ?? []), state.get(ours)!]);
  }
  return scope(() => {
    const written = new Map([...joined].map(([key, parts]) => [key, parts.length === 1 ? parts[0]! : ops.cat(parts)]));
    const table = publishedName('positions.table', family.names);
    if (options.positions.kind === 'table' && table !== undefined && table !== 'pos_embed.embed')
      writeTable(written, table, options);
    const hints = new URLSearchParams();
    if (families.find(({ has }) => has(written)) !== family) hints.set('family', family.name);
    const { heads, width } = options;
    if (knownHeads(vitLayout(options), family, width) !== heads) hints.set('heads', String(heads));
    return { family: family.name, hints: String(hints), container: family.container, state: written };
  });
}

/** A table (1, Y, X, D) as (1, N, D), or (1, N + 1, D) where the family has a row for the class token. */
function writeTable(written: Map<string, Tensor>, name: string, { classToken, positions }: VitOptions): void {
  const flat = ops.flatten(written.get(name)!, 1, 2);
  // timm's tables have rows for all tokens before the patches, or for none.
  if (name !== 'pos_embed' || !classToken || written.has('reg_token')) {
    written.set(name, flat);
    return;
  }
  // The row and the class token only ever appear as a sum; a fixed table's row is zero, a trained one's never.
  const token = written.get('cls_token')!;
  const learned = positions.kind === 'table' && positions.learned;
  written.set(name, ops.cat([learned ? token : ops.zerosLike(token), flat], 1));
  if (learned) written.set('cls_token', ops.zerosLike(token));
}

function fits(family: PublishedFamily, options: VitOptions): boolean {
  const layout = vitLayout(options);
  const published = [...layout.keys()].map((name) => publishedName(name, family.names));
  if (published.includes(undefined)) return false;
  const { positions, activation } = options;
  // Some name the same layers otherwise for each kind of MLP.
  if (family.options.activation !== undefined && family.options.activation !== activation) return false;
  const flat = publishedName('positions.table', family.names) !== 'pos_embed.embed';
  if (positions.kind === 'table' && flat && positions.rows !== positions.columns) return false;
  return isDeepStrictEqual(comparable(optionsOfFamily(layout, family, options.heads)), comparable(options));
}

/** Options without what only training uses. */
function comparable(options: VitOptions): unknown {
  const { dropPath: _, layerScale, mlpWidth = 4 * options.width, ...rest } = options;
  // What is undefined counts as absent.
  return JSON.parse(JSON.stringify({ ...rest, mlpWidth, scaled: layerScale !== undefined }));
}
