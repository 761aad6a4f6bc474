// Rules over several values of a recipe: each gives its problem, or none. Keys are dotted paths.

/** A size has to be a multiple of a patch size, given with its name. */
export function multipleOfPatch(key: string, size: number, name: string, patchSize: number): string[] {
  const near = Math.max(1, Math.round(size / patchSize)) * patchSize;
  const expected = `expected a multiple of ${name} ${patchSize}, received ${size}; the nearest is ${near}`;
  return size % patchSize === 0 ? [] : [`${key}: ${expected}`];
}

/** A value must not be above another one. */
export function atMost(key: string, value: number, limitKey: string, limit: number): string[] {
  return value <= limit ? [] : [`${key}: expected at most ${limitKey} ${limit}, received ${value}`];
}

/** A range of shares begins with the smaller one. */
export function smallerFirst(key: string, range: readonly [number, number]): string[] {
  return range[0] <= range[1] ? [] : [`${key}: expected the smaller share first, received [${range}]`];
}

/** The parts of a batch are equal. */
export function evenParts({ batchSize, accumulate }: { batchSize: number; accumulate: number }): string[] {
  const expected = `expected a divisor of optim.batchSize ${batchSize}, received ${accumulate}`;
  return batchSize % accumulate === 0 ? [] : [`optim.accumulate: ${expected}`];
}
