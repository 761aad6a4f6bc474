import type { ImageEncoder } from '../../src/models/encoder.js';
import * as ops from '../../src/tensor/ops.generated.js';
import { scope } from '../../src/tensor/tensor.js';

/** An encoder whose patch features are the colours of the patch. */
export const colourEncoder: ImageEncoder = {
  patchSize: 8,
  width: 192,
  depth: 0,
  embed: (images_B3YX) =>
    scope(() => {
      const [batch, , height, width] = images_B3YX.shape as [number, number, number, number];
      const cut = ops.reshape(images_B3YX, [batch, 3, height / 8, 8, width / 8, 8]);
      const patches = ops.flatten(ops.permute(cut, [0, 2, 4, 1, 3, 5]), 3, 5);
      return {
        global_BD: ops.zeros([batch, 1]),
        registers_BRD: ops.zeros([batch, 0, 1]),
        patches_BYXD: ops.clone(patches),
      };
    }),
  dispose: () => {},
};
