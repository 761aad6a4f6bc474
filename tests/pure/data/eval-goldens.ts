import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const candidates = [process.env.TESSERA_GOLDENS, at('../../goldens'), at('../../../../shared/goldens')];

/** The folder with `eval_tiny`, or undefined, with the reason printed. */
export const evalGoldens = candidates.find((folder) => folder && existsSync(join(folder, 'eval_tiny.safetensors')));
if (evalGoldens === undefined)
  console.warn(`skipped: no eval_tiny.safetensors in ${candidates.filter(Boolean).join(', ')}`);

/** A file beside the goldens. */
export const goldenFile = (name: string): Buffer => readFileSync(join(evalGoldens!, name));

/** The JSON of `eval_tiny`. */
export function evalJson<T>(): T {
  return JSON.parse(goldenFile('eval_tiny.json').toString()) as T;
}

/** A reader of byte tensors; the shared one needs the engine, which is absent here. */
export function evalBytes(): (name: string) => { data: Uint8Array; shape: number[] } {
  const file = goldenFile('eval_tiny.safetensors');
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, start));
  return (name) => {
    const { data_offsets, shape, dtype } = header[name];
    if (dtype !== 'U8') throw new Error(`${name} is ${dtype}`);
    return { data: file.subarray(start + data_offsets[0], start + data_offsets[1]), shape };
  };
}
