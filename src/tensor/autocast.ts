import { engine } from '../engine/addon.js';
import * as ops from './ops.generated.js';
import type { Tensor } from './tensor.js';

/**
 * Runs `body` with PyTorch's autocast on a device set or unset: products of float32 matrices are made in bfloat16, their
 * results stay bfloat16 until they meet float32 again; normalisations keep the type that they get.
 */
export function autocast<T>(device: string, enabled: boolean, body: () => T): T {
  const before = engine().autocast(device, enabled);
  try {
    return body();
  } finally {
    engine().autocast(device, before);
  }
}

/** A tensor as float32 where it is bfloat16: exponentials and sums of many values need the digits. */
export function wide(tensor: Tensor): Tensor {
  return tensor.dtype === 'bfloat16' ? ops.to(tensor, 'float32') : tensor;
}
