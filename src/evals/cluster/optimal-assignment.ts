/**
 * Gives every row a column of its own (or, with fewer columns than rows, every column a row) so that the sum of costs is
 * least: the Hungarian method with shortest augmenting paths, O(rows² · columns).
 *
 * @param cost rows of equal length
 * @returns the column of each row, -1 where it has none
 */
export function optimalAssignment(cost: readonly ArrayLike<number>[]): number[] {
  const rows = cost.length;
  const columns = cost[0]?.length ?? 0;
  if (rows <= columns) return assign(rows, columns, (row, column) => cost[row]![column]!);
  const rowOf = assign(columns, rows, (column, row) => cost[row]![column]!);
  const columnOf = new Array<number>(rows).fill(-1);
  rowOf.forEach((row, column) => {
    columnOf[row] = column;
  });
  return columnOf;
}

/** For at most as many rows as columns. Indices are shifted by one: 0 stands for "none". */
function assign(rows: number, columns: number, cost: (row: number, column: number) => number): number[] {
  const rowPrice = new Float64Array(rows + 1);
  const columnPrice = new Float64Array(columns + 1);
  const rowAt = new Int32Array(columns + 1);
  for (let row = 1; row <= rows; row++) {
    const cameFrom = new Int32Array(columns + 1);
    const reach = new Float64Array(columns + 1).fill(Number.POSITIVE_INFINITY);
    const done = new Uint8Array(columns + 1);
    rowAt[0] = row;
    let at = 0;
    do {
      done[at] = 1;
      const from = rowAt[at]!;
      let step = Number.POSITIVE_INFINITY;
      let next = 0;
      for (let column = 1; column <= columns; column++) {
        if (done[column]) continue;
        const through = cost(from - 1, column - 1) - rowPrice[from]! - columnPrice[column]!;
        if (through < reach[column]!) {
          reach[column] = through;
          cameFrom[column] = at;
        }
        if (reach[column]! < step) {
          step = reach[column]!;
          next = column;
        }
      }
      for (let column = 0; column <= columns; column++) {
        if (done[column]) {
          rowPrice[rowAt[column]!]! += step;
          columnPrice[column]! -= step;
        } else reach[column]! -= step;
      }
      at = next;
    } while (rowAt[at] !== 0);
    for (; at !== 0; at = cameFrom[at]!) rowAt[at] = rowAt[cameFrom[at]!]!;
  }
  const columnOf = new Array<number>(rows).fill(-1);
  for (let column = 1; column <= columns; column++) if (rowAt[column]! > 0) columnOf[rowAt[column]! - 1] = column - 1;
  return columnOf;
}
