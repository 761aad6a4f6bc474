import type { Tensor } from './tensor.js';

/** Whether the operators of `native/kernels/` take a tensor: float32 on the processor. Everything else has plain operators. */
export function hasKernels(tensor: Tensor): boolean {
  return tensor.dtype === 'float32' && tensor.device === 'cpu';
}
