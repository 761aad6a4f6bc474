/**
 * Seeded random numbers for choices made outside the engine: crops, flips, masks, scenes.
 *
 * The generator is sfc32 (128 bits of state, passes PractRand), seeded through a 32-bit mixing function, so that
 * streams with nearby seeds are unrelated. `Random.from(seed, sample)` gives every sample its own stream: what a
 * sample gets does not depend on the number of workers or on the order of their work.
 */
export class Random {
  private constructor(
    private a: number,
    private b: number,
    private c: number,
    private d: number,
  ) {}

  /** A stream that depends on every part; each part is an integer below 2^53. */
  static from(...parts: readonly number[]): Random {
    const state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0xdeadbeef];
    for (const part of parts) {
      const low = part >>> 0;
      const high = Math.floor(part / 2 ** 32) >>> 0;
      for (let i = 0; i < 4; i++) state[i] = mix((state[i]! ^ low) + Math.imul(high + i, 0x85ebca6b));
    }
    const random = new Random(state[0]!, state[1]!, state[2]!, state[3]!);
    for (let i = 0; i < 12; i++) random.uint32();
    return random;
  }

  /** Integer in [0, 2^32). */
  uint32(): number {
    const sum = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** Float in [low, high), 53 random bits. */
  uniform(low = 0, high = 1): number {
    const unit = (this.uint32() * 2 ** 21 + (this.uint32() >>> 11)) / 2 ** 53;
    return low + (high - low) * unit;
  }

  /** Integer in [low, high], both ends included, without modulo bias. */
  integer(low: number, high: number): number {
    const span = high - low + 1;
    const limit = Math.floor(2 ** 32 / span) * span;
    for (;;) {
      const value = this.uint32();
      if (value < limit) return low + (value % span);
    }
  }

  /** Standard normal deviate (Box-Muller, one of the pair). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** One element, uniformly. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  /** The first `count` places of a random permutation of `items`, which is reordered in place. */
  shuffle<T extends { [index: number]: number; length: number }>(items: T, count = items.length): T {
    for (let i = 0; i < count; i++) {
      const j = this.integer(i, items.length - 1);
      const held = items[i]!;
      items[i] = items[j]!;
      items[j] = held;
    }
    return items;
  }
}

/** A seed below 2^53 for a generator of the engine, from parts. */
export function seedFrom(...parts: readonly number[]): number {
  const random = Random.from(...parts);
  return random.uint32() * 2 ** 20 + (random.uint32() >>> 12);
}

function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}
