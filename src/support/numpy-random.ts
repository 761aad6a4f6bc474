/**
 * Permutations exactly as NumPy draws them, where a published protocol splits its data with one. Everything else uses
 * `Random`.
 */

/** Draws uniform integers in [0, 2^32). */
type Words = () => number;

/**
 * `numpy.random.seed(seed)` and then `numpy.random.permutation(count)`: Mersenne Twister.
 * Source: NumPy `RandomState`; CAPI splits segmentation data with it (eval_segmentation.py).
 *
 * @param seed an integer in [0, 2^32)
 */
export function legacyPermutation(count: number, seed: number): Int32Array {
  return permute(count, mersenneTwister(seed));
}

/**
 * `numpy.random.default_rng(seed).permutation(count)`: PCG64.
 * Source: NumPy `Generator`; CAPI splits classification data with it (eval_classification.py).
 *
 * @param seed an integer in [0, 2^32)
 */
export function generatorPermutation(count: number, seed: number): Int32Array {
  return permute(count, pcg64(seed));
}

/** Fisher-Yates from the end; places are drawn by masking words and rejecting what is too large. */
function permute(count: number, next: Words): Int32Array {
  const items = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const mask = 0xffffffff >>> Math.clz32(i);
    let j = (next() & mask) >>> 0;
    while (j > i) j = (next() & mask) >>> 0;
    const held = items[i]!;
    items[i] = items[j]!;
    items[j] = held;
  }
  return items;
}

/** MT19937, seeded as `init_genrand` does. */
function mersenneTwister(seed: number): Words {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) {
    const former = state[i - 1]!;
    state[i] = Math.imul(1812433253, former ^ (former >>> 30)) + i;
  }
  let at = 624;
  return () => {
    if (at === 624) {
      twist(state);
      at = 0;
    }
    let word = state[at++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  };
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < 624; i++) {
    const joined = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff);
    state[i] = state[(i + 397) % 624]! ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
  }
}

/** PCG XSL-RR 128/64 with the multiplier of its reference implementation; each 64 bits give their low half first. */
function pcg64(seed: number): Words {
  const multiplier = 0x2360ed051fc65da44385df649fccf645n;
  const [stateHigh, stateLow, sequenceHigh, sequenceLow] = seedSequence(seed) as [bigint, bigint, bigint, bigint];
  const increment = BigInt.asUintN(128, (((sequenceHigh << 64n) | sequenceLow) << 1n) | 1n);
  const step = (state: bigint) => BigInt.asUintN(128, state * multiplier + increment);
  let state = step(BigInt.asUintN(128, increment + ((stateHigh << 64n) | stateLow)));
  let high: number | undefined;
  return () => {
    if (high !== undefined) {
      const word = high;
      high = undefined;
      return word;
    }
    state = step(state);
    const folded = BigInt.asUintN(64, (state >> 64n) ^ state);
    const turn = state >> 122n;
    const turned = (folded >> turn) | BigInt.asUintN(64, folded << (64n - turn));
    high = Number(turned >> 32n);
    return Number(BigInt.asUintN(32, turned));
  };
}

/** Four 64-bit words of `numpy.random.SeedSequence(seed)`: a pool of four 32-bit words, mixed and drawn out. */
function seedSequence(seed: number): bigint[] {
  const hash = hasher(0x43b0d7e5, 0x931e8875);
  const pool = [seed, 0, 0, 0].map(hash);
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) {
      if (from === to) continue;
      const mixed = Math.imul(0xca01f9dd, pool[to]!) - Math.imul(0x4973f715, hash(pool[from]!));
      pool[to] = (mixed ^ (mixed >>> 16)) >>> 0;
    }
  }
  const draw = hasher(0x8b51f9dd, 0x58f38ded);
  const words = Array.from({ length: 8 }, (_, i) => BigInt(draw(pool[i % 4]!)));
  return [0, 2, 4, 6].map((i) => words[i]! | (words[i + 1]! << 32n));
}

/** Hashes one word after another with a multiplier that moves on. */
function hasher(start: number, factor: number): (word: number) => number {
  let constant = start;
  return (word) => {
    const mixed = word ^ constant;
    constant = Math.imul(constant, factor);
    const product = Math.imul(mixed, constant);
    return (product ^ (product >>> 16)) >>> 0;
  };
}
