import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { drawMask } from '../../../src/masks/draw-mask.js';
import type { MaskKind, MaskOptions } from '../../../src/masks/mask.js';
import { Random } from '../../../src/support/random.js';

interface Trace {
  rows: number;
  columns: number;
  kind: MaskKind;
  roll: boolean;
  masked: number;
  seed: number;
  range: [number, number];
  logAspect: number;
  integers: number[];
  mask: string[];
}

const goldens = JSON.parse(readFileSync(new URL('../../goldens/masks.json', import.meta.url), 'utf8')) as {
  traces: Trace[];
  extents: Record<string, Record<string, number>>;
  /** Probability that a patch of a 16 x 16 grid with 166 masked is visible, by kind, without rolling. */
  visible: Record<'block' | 'inverse-block', number[]>;
};

const kinds: MaskKind[] = ['inverse-block', 'block', 'uniform'];

function ones(mask: Uint8Array): number {
  return mask.reduce((sum, cell) => sum + cell, 0);
}

describe('drawMask replays the published code', () => {
  for (const trace of goldens.traces) {
    const { rows, columns, kind, roll, masked } = trace;
    it(`${kind} ${rows}x${columns}${roll ? ' rolled' : ''}, Python seed ${trace.seed}`, () => {
      const integers = [...trace.integers];
      const ranges: number[][] = [];
      const mask = drawMask({ kind, rows, columns, roll }, masked, {
        uniform: (low, high) => {
          expect(ranges).toEqual([]);
          expect(low).toBeCloseTo(trace.range[0], 12);
          expect(high).toBeCloseTo(trace.range[1], 12);
          return trace.logAspect;
        },
        integer: (low, high) => {
          ranges.push([low, high]);
          return integers.shift()!;
        },
      });
      expect(mask.join('')).toBe(trace.mask.join(''));
      expect(integers).toEqual([]);
      expect(ranges.map(([low]) => low)).toEqual(ranges.map(() => 0));
      if (roll)
        expect(ranges.slice(2)).toEqual([
          [0, rows - 1],
          [0, columns - 1],
        ]);
    });
  }

  it('random.seed(0), 16 x 16, 166 masked: 11 full rows of 8 visible cells and 2 more, from row 3', () => {
    const asked: number[][] = [];
    const mask = drawMask({ kind: 'inverse-block', rows: 16, columns: 16, roll: false }, 166, {
      uniform: () => 0.4774700706156464,
      integer: (low, high) => {
        asked.push([low, high]);
        return asked.length === 1 ? 3 : 0;
      },
    });
    const rows = Array.from({ length: 16 }, (_, row) => mask.slice(row * 16, row * 16 + 16).join(''));
    expect(rows.slice(3, 14)).toEqual(Array(11).fill('0000000011111111'));
    expect(rows[14]).toBe('0011111111111111');
    expect(asked).toEqual([
      [0, 3],
      [0, 8],
    ]);
  });

  it('draws the rectangles as often as the published aspect ratios imply', () => {
    const draws = 4000;
    const random = Random.from(3);
    const seen = new Map<string, number>();
    for (let i = 0; i < draws; i++) {
      // The upper bounds of top and left tell the size of the rectangle before it is cut.
      const size: number[] = [];
      drawMask({ kind: 'inverse-block', rows: 16, columns: 16, roll: false }, 166, {
        uniform: (low, high) => random.uniform(low, high),
        integer: (low, high) => {
          size.push(16 - high);
          return random.integer(low, high);
        },
      });
      seen.set(size.join('x'), (seen.get(size.join('x')) ?? 0) + 1);
    }
    const expected = goldens.extents.InverseBlock_roll!;
    expect([...seen.keys()].sort()).toEqual(Object.keys(expected).sort());
    for (const [size, probability] of Object.entries(expected)) {
      const spread = Math.sqrt((probability * (1 - probability)) / draws);
      expect(Math.abs(seen.get(size)! / draws - probability)).toBeLessThan(4.5 * spread);
    }
  });
});

describe('masks without rolling', () => {
  for (const [kind, probabilities] of Object.entries(goldens.visible)) {
    it(`${kind} shows every patch as often as the published one`, () => {
      const draws = 4000;
      const random = Random.from(8);
      const visible = new Float64Array(256);
      for (let i = 0; i < draws; i++) {
        const options: MaskOptions = { kind: kind as MaskKind, rows: 16, columns: 16, roll: false };
        drawMask(options, 166, random).forEach((cell, at) => {
          visible[at]! += 1 - cell;
        });
      }
      visible.forEach((count, at) => {
        const p = probabilities[at]!;
        expect(Math.abs(count / draws - p), `patch ${at}`).toBeLessThanOrEqual(5 * Math.sqrt((p * (1 - p)) / draws));
      });
    });
  }
});

describe('drawMask', () => {
  it('masks exactly the count asked for, on any grid and for any seed', () => {
    for (let seed = 0; seed < 4000; seed++) {
      const random = Random.from(11, seed);
      const options: MaskOptions = {
        kind: random.pick(kinds),
        rows: random.integer(1, 19),
        columns: random.integer(1, 19),
        roll: random.uniform() < 0.5,
        minAspect: random.pick([0.1, 0.5, 1]),
      };
      const count = random.integer(0, options.rows * options.columns);
      expect(ones(drawMask(options, count, random)), JSON.stringify({ options, count })).toBe(count);
    }
  });

  it('rolls circularly, so that every position is masked equally often', () => {
    for (const kind of kinds) {
      const draws = 6000;
      const random = Random.from(5);
      const hits = new Float64Array(7 * 9);
      for (let i = 0; i < draws; i++) {
        drawMask({ kind, rows: 7, columns: 9, roll: true }, 40, random).forEach((cell, at) => {
          hits[at]! += cell;
        });
      }
      const part = 40 / 63;
      const spread = Math.sqrt((part * (1 - part)) / draws);
      for (const hit of hits) expect(Math.abs(hit / draws - part)).toBeLessThan(4.5 * spread);
    }
  });

  it('moves the block over the borders by the shifts, down and right', () => {
    const at = (rowShift: number, columnShift: number) => {
      const integers = [2, 1, rowShift, columnShift];
      const random = { uniform: () => 0, integer: () => integers.shift()! };
      return drawMask({ kind: 'block', rows: 5, columns: 4, roll: true }, 4, random);
    };
    const still = at(0, 0);
    for (let row = 0; row < 5; row++) {
      for (let column = 0; column < 4; column++) {
        expect(at(2, 3)[((row + 2) % 5) * 4 + ((column + 3) % 4)]).toBe(still[row * 4 + column]);
      }
    }
  });

  it('refuses impossible masks and lists every problem', () => {
    const options: MaskOptions = { kind: 'block', rows: 0, columns: 4, roll: true, minAspect: 2 };
    expect(() => drawMask(options, 5, Random.from(0))).toThrow(/rows.*got 0.*count.*got 5.*minAspect.*got 2/);
  });
});
