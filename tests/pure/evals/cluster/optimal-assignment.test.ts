import { expect, it } from 'vitest';
import { optimalAssignment } from '../../../../src/evals/cluster/optimal-assignment.js';
import { Random } from '../../../../src/support/random.js';

/** The least cost over all assignments, by trying them. */
function least(cost: number[][], row = 0, used = 0, skips = Math.max(0, cost.length - cost[0]!.length)): number {
  if (row === cost.length) return 0;
  let best = skips > 0 ? least(cost, row + 1, used, skips - 1) : Number.POSITIVE_INFINITY;
  cost[row]!.forEach((value, column) => {
    if ((used >> column) & 1) return;
    best = Math.min(best, value + least(cost, row + 1, used | (1 << column), skips));
  });
  return best;
}

it.each([
  [1, 1],
  [4, 4],
  [3, 6],
  [6, 3],
  [7, 7],
])('costs the least of all assignments of %i rows and %i columns', (rows, columns) => {
  for (let seed = 0; seed < 20; seed++) {
    const random = Random.from(seed, rows, columns);
    const cost = Array.from({ length: rows }, () =>
      Array.from({ length: columns }, () => (seed % 2 === 0 ? random.integer(-3, 3) : random.normal())),
    );
    const columnOf = optimalAssignment(cost);
    const taken = columnOf.filter((column) => column >= 0);
    expect(taken).toHaveLength(Math.min(rows, columns));
    expect(new Set(taken).size).toBe(taken.length);
    const sum = columnOf.reduce((total, column, row) => total + (column < 0 ? 0 : cost[row]![column]!), 0);
    expect(sum).toBeCloseTo(least(cost), 9);
  }
});
