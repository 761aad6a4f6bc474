import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { readSafetensors } from '../../src/tensor/safetensors.js';
import type { Tensor } from '../../src/tensor/tensor.js';

/** Numbers that the published code computed; another set in the same layout can be given. */
export const goldensFolder = process.env.TESSERA_GOLDENS ?? fileURLToPath(new URL('../goldens', import.meta.url));

export function goldenTensors(name: string): Map<string, Tensor> {
  return readSafetensors(join(goldensFolder, `${name}.safetensors`));
}

export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(join(goldensFolder, `${name}.json`), 'utf8')) as T;
}

/** 2-norm of the difference over the 2-norm of what is expected. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  const [a, e] = [actual.numbers(), expected.numbers()];
  if (a.length !== e.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < e.length; i++) {
    difference += (a[i]! - e[i]!) ** 2;
    size += e[i]! ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(size), Number.MIN_VALUE);
}

/** Fails unless shapes agree and the relative error is within the tolerance. */
export function expectClose(actual: Tensor, expected: Tensor, tolerance: number, name = 'tensor'): void {
  expect(actual.shape, `shape of ${name}`).toEqual(expected.shape);
  expect(relativeError(actual, expected), `relative error of ${name}`).toBeLessThanOrEqual(tolerance);
}

/** The part of a map whose keys start with a prefix, without it. */
export function withPrefix(tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  return new Map(
    [...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, tensor]) => [key.slice(prefix.length), tensor]),
  );
}
