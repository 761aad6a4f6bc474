import { createHash } from 'node:crypto';
import type { Module } from '../nn/module.js';

/** SHA-256 (hex) over the options of a network and every parameter and buffer: name, dtype, shape and bytes. */
export function moduleFingerprint(module: Module, options: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify([module.constructor.name, options]));
  for (const [name, tensor] of module.state()) {
    const data = tensor.data();
    hash.update(`\0${name} ${tensor.dtype} ${tensor.shape}\0`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}
