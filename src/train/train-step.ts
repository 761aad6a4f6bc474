import type { ProcessGroup } from '../distributed/process-group.js';
import type { AdamW } from '../optim/adamw.js';
import { autocast } from '../tensor/autocast.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';
import type { Method } from './method.js';

export interface TrainStepOptions {
  /** Record the method's metrics and the gradient norm. */
  readonly measure: boolean;
  /** Runs between the gradients and the update, with the main loss; returning false leaves the update out. */
  readonly beforeUpdate?: (mainLoss: number) => unknown;
  readonly group?: ProcessGroup;
}

/**
 * One optimisation step: gradients of every part of the batch, averaged over parts and processes; then the optimisers;
 * then what the method does after an update.
 * @returns losses and metrics by name, and `gradientNorm` (2-norm over all parameters) where measured
 */
export function trainStep<Batch>(
  method: Method<Batch>,
  parts: readonly Batch[],
  step: number,
  options: TrainStepOptions,
): Record<string, number> {
  const optimizers = Object.values(method.optimizers);
  for (const { optimizer } of optimizers) optimizer.zeroGrad();
  const values: Record<string, number> = {};
  for (const part of parts) {
    scope(() => {
      const result = mixed(method, true, () =>
        method.step(part, {
          step,
          measure: options.measure,
          // The mean over equal parts is the loss of the whole batch, and so are its gradients. They take the types of the
          // values that they belong to, without autocast.
          backward: (loss) =>
            mixed(method, false, () => (parts.length === 1 ? loss : ops.div(loss, parts.length)).backward()),
        }),
      );
      for (const [name, value] of Object.entries({ ...result.losses, ...result.metrics })) {
        const number = typeof value === 'number' ? value : value.item();
        values[name] = (values[name] ?? 0) + number / parts.length;
      }
    });
  }
  scope(() => {
    const gradients = optimizers.flatMap(({ optimizer }) => gradientsOf(optimizer));
    if (options.group) averageGradients(gradients, options.group);
    if (options.measure) values.gradientNorm = normOf(gradients);
  });
  if (options.beforeUpdate?.(values[method.mainLoss]!) === false) return values;
  for (const { optimizer, lr } of optimizers) optimizer.step(lr(step));
  method.afterUpdate(step);
  return values;
}

/** Runs a part of a step with its products in bfloat16, or in the type of their factors, where the method asks for it. */
function mixed<T>({ bfloat16On }: Pick<Method<never>, 'bfloat16On'>, enabled: boolean, body: () => T): T {
  return bfloat16On === undefined ? body() : autocast(bfloat16On, enabled, body);
}

function gradientsOf(optimizer: AdamW): Tensor[] {
  return optimizer.groups.flatMap((group) =>
    group.parameters.flatMap(([, parameter]) => {
      const gradient = parameter.grad;
      return gradient === null ? [] : [gradient];
    }),
  );
}

function averageGradients(gradients: readonly Tensor[], group: ProcessGroup): void {
  noGrad(() => {
    for (const gradient of gradients) {
      group.allReduce(gradient, 'sum');
      ops.div_(gradient, group.worldSize);
    }
  });
}

function normOf(gradients: readonly Tensor[]): number {
  if (gradients.length === 0) return 0;
  return noGrad(() => ops.norm(ops.stack(ops.foreachNorm(gradients))).item());
}
