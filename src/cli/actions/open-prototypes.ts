import type { PrototypeScores } from '../../evals/task.js';
import { prototypeLogits } from '../../methods/capi/online-clustering.js';
import { readCheckpointPart } from '../../models/load-weights.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope } from '../../tensor/tensor.js';

/** Prototypes on a device. */
export interface OpenPrototypes extends Disposable {
  readonly count: number;
  readonly scoresOf: PrototypeScores;
}

/**
 * Those that a CAPI run was trained with, which are of its teacher's features; nothing where the model has none.
 * @throws as `readCheckpointPart`.
 */
export async function openPrototypes(model: string, device = 'cpu'): Promise<OpenPrototypes | undefined> {
  if (/^(?:random|baseline):/.test(model)) return undefined;
  const part = await readCheckpointPart(model, 'clustering');
  const [weight, bias] = [part?.get('layer.weight'), part?.get('layer.bias')];
  const layer =
    weight && bias
      ? scope(() => ({ weight: ops.toDevice(weight, device, 'float32'), bias: ops.toDevice(bias, device, 'float32') }))
      : undefined;
  for (const tensor of part?.values() ?? []) tensor.dispose();
  if (layer === undefined) return undefined;
  return {
    count: layer.weight.size(0),
    scoresOf: (features_SD) => prototypeLogits(features_SD, layer),
    [Symbol.dispose]: () => {
      for (const tensor of Object.values(layer)) tensor.dispose();
    },
  };
}
