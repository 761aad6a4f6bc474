import type { RefinerConfig } from './refiner-config.js';

/** A head of a recipe with everything filled in. */
export interface HeadSpec {
  readonly name: string;
  /** A block, counted from 0, or the encoder's result. */
  readonly block: number | 'last';
  readonly pool: 'class' | 'patches';
  readonly temperature: number;
  readonly weight: readonly WeightPiece[];
}

/** A piece of a loss weight's course over the refine stage, up to a share of it. */
export interface WeightPiece {
  readonly until: number;
  readonly value: number;
  /** Where a cosine ends that starts at `value`. */
  readonly to?: number | undefined;
}

/** The heads of a recipe in its order. Names may come twice: the check of the recipe refuses that. */
export function listHeads({ heads }: Pick<RefinerConfig, 'heads'>): HeadSpec[] {
  return heads.on.map((entry) => {
    const given = typeof entry === 'object' ? entry : { block: entry };
    return {
      name: given.name ?? (given.block === 'last' ? 'last' : `block${given.block}`),
      block: given.block,
      pool: given.pool ?? heads.pool,
      temperature: given.temperature ?? heads.temperature,
      weight: given.weight ?? [],
    };
  });
}

/** The heads that the refine stage goes on with. */
export function keptHeads(config: Pick<RefinerConfig, 'heads' | 'stages'>): HeadSpec[] {
  const { keepHeads } = config.stages.refine;
  return listHeads(config).filter(({ name }) => keepHeads?.includes(name) ?? true);
}

/**
 * A head's loss weight at a step of the refine stage: 1 where nothing is said, and after the last piece what that ended
 * with. A cosine includes both of its ends (kappaschedules `CosineDecreasingSchedule`).
 */
export function lossWeight(pieces: readonly WeightPiece[], step: number, steps: number): number {
  let start = 0;
  let weight = 1;
  for (const { until, value, to = value } of pieces) {
    const end = Math.round(until * steps);
    if (step < end) {
      const share = (step - start) / Math.max(1, end - start - 1);
      return to + (value - to) * 0.5 * (1 + Math.cos(Math.PI * share));
    }
    [start, weight] = [end, to];
  }
  return weight;
}
