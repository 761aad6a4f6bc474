/** The random draws that masks need; `Random` of support/random.ts has this shape. */
export interface MaskRandom {
  /** Float in [low, high). */
  uniform(low: number, high: number): number;
  /** Integer in [low, high], both ends included. */
  integer(low: number, high: number): number;
}

/** `inverse-block` keeps one rectangle visible (CAPI's default), `block` hides one, `uniform` hides scattered patches. */
export type MaskKind = 'inverse-block' | 'block' | 'uniform';

/** What a mask looks like; the number of masked patches is given with each draw. */
export interface MaskOptions {
  kind: MaskKind;
  /** Height of the patch grid. */
  rows: number;
  /** Width of the patch grid. */
  columns: number;
  /** Shifts the block circularly, so that every position is masked equally often; `uniform` takes no notice of it. */
  roll: boolean;
  /** Least height over width of the block, in (0, 1]; the greatest is its inverse. 0.5 unless given. */
  minAspect?: number;
}
