import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Raster } from '../../../src/data/resample.js';

const folder = process.env.TESSERA_GOLDENS ?? fileURLToPath(new URL('../../goldens', import.meta.url));
// Ours is the part of eval_tiny that belongs to images; another set is whole.
const name = ['eval_tiny_transforms', 'eval_tiny'].find((file) => existsSync(join(folder, `${file}.json`)));

/** Whether the set has numbers of image transforms; says so when it has not. */
export const haveEvalGoldens = name !== undefined;
if (!haveEvalGoldens) console.warn(`skipped: no eval_tiny.json in ${folder}`);

/** A file beside the goldens. */
export const goldenFile = (file: string): Buffer => readFileSync(join(folder, file));

/** The JSON of `eval_tiny`. */
export function evalJson<T>(): T {
  return JSON.parse(goldenFile(`${name}.json`).toString()) as T;
}

/** A reader of byte tensors; the shared one needs the engine, which is absent here. */
export function evalBytes(): (key: string) => { data: Uint8Array; shape: number[] } {
  const file = goldenFile(`${name}.safetensors`);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, start));
  return (key) => {
    const { data_offsets, shape, dtype } = header[key];
    if (dtype !== 'U8') throw new Error(`${key} is ${dtype}`);
    return { data: file.subarray(start + data_offsets[0], start + data_offsets[1]), shape };
  };
}

/** A reader of byte tensors (height, width, 3). */
export function evalPictures(): (key: string) => Raster {
  const golden = evalBytes();
  return (key) => {
    const { data, shape } = golden(key);
    return { data, width: shape[1]!, height: shape[0]! };
  };
}
