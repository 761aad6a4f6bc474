const MASK_64 = 2n ** 64n - 1n;
const MASK_128 = 2n ** 128n - 1n;
const PCG_FACTOR = 0x2360ed051fc65da44385df649fccf645n;

/**
 * The permutation of 0 to count - 1 that NumPy's `default_rng(seed).permutation(count)` gives, so that published splits
 * can be repeated. Source: NumPy bit_generator.pyx `SeedSequence`, pcg64.h, distributions.c `random_interval`.
 * @param seed integer below 2^32
 */
export function numpyPermutation(count: number, seed: number): Uint32Array {
  const next = pcg64(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = upTo(i, next);
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}

/** Integer in [0, limit]: bits are drawn until they fit. */
function upTo(limit: number, next: () => number): number {
  const mask = 2 ** (32 - Math.clz32(limit)) - 1;
  for (;;) {
    const value = (next() & mask) >>> 0;
    if (value <= limit) return value;
  }
}

/** PCG64 (XSL-RR 128/64) as 32-bit integers, the lower half of every 64 bits first. */
function pcg64(seed: number): () => number {
  const [a, b, c, d] = seedWords(seed) as [bigint, bigint, bigint, bigint];
  const increment = ((((c << 64n) | d) << 1n) | 1n) & MASK_128;
  const step = (state: bigint) => (state * PCG_FACTOR + increment) & MASK_128;
  let state = step((step(0n) + ((a << 64n) | b)) & MASK_128);
  let upper: number | undefined;
  return () => {
    if (upper !== undefined) {
      const kept = upper;
      upper = undefined;
      return kept;
    }
    state = step(state);
    const mixed = (state >> 64n) ^ (state & MASK_64);
    const turn = state >> 122n;
    const word = ((mixed >> turn) | (mixed << (64n - turn))) & MASK_64;
    upper = Number(word >> 32n);
    return Number(word & 0xffffffffn);
  };
}

/** Four 64-bit words from a seed (`SeedSequence(seed).generate_state(4)`). */
function seedWords(seed: number): bigint[] {
  let hash = 0x43b0d7e5;
  const hashed = (value: number) => {
    const keyed = value ^ hash;
    hash = Math.imul(hash, 0x931e8875);
    return folded(Math.imul(keyed, hash));
  };
  const pool = [seed, 0, 0, 0].map(hashed);
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) {
      if (from === to) continue;
      pool[to] = folded(Math.imul(0xca01f9dd, pool[to]!) - Math.imul(0x4973f715, hashed(pool[from]!)));
    }
  }
  let key = 0x8b51f9dd;
  const words = Array.from({ length: 8 }, (_, i) => {
    const keyed = pool[i % 4]! ^ key;
    key = Math.imul(key, 0x58f38ded);
    return BigInt(folded(Math.imul(keyed, key)));
  });
  return [0, 2, 4, 6].map((i) => words[i]! | (words[i + 1]! << 32n));
}

const folded = (value: number) => ((value >>> 0) ^ (value >>> 16)) >>> 0;
