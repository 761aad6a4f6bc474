import type { Parameter } from '../nn/module.js';
import { CheckpointError } from '../support/errors.js';
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, type Tensor } from '../tensor/tensor.js';

export interface AdamWGroup {
  /** Names are the keys of the saved state. */
  readonly parameters: readonly (readonly [string, Parameter])[];
  readonly lrMultiplier: number;
  readonly weightDecay: number;
}

interface Moments {
  readonly parameter: Parameter;
  readonly first: Tensor;
  readonly second: Tensor;
  readonly step: Tensor;
}

/** AdamW with decoupled weight decay, as PyTorch computes it (`_fused_adamw_`). */
export class AdamW {
  readonly #groups: { group: AdamWGroup; moments: Map<string, Moments> }[];
  readonly #betas: readonly [number, number];
  readonly #eps: number;

  constructor(groups: readonly AdamWGroup[], options: { betas: readonly [number, number]; eps?: number }) {
    this.#betas = options.betas;
    this.#eps = options.eps ?? 1e-8;
    this.#groups = groups.map((group) => ({
      group,
      moments: new Map(group.parameters.map(([name, parameter]) => [name, newMoments(parameter)])),
    }));
  }

  get groups(): readonly AdamWGroup[] {
    return this.#groups.map(({ group }) => group);
  }

  /** Updates every parameter that has a gradient; `lr` is multiplied by each group's multiplier. */
  step(lr: number): void {
    scope(() => {
      noGrad(() => {
        for (const { group, moments } of this.#groups) {
          const ready = [...moments.values()].flatMap((m) => {
            const grad = m.parameter.grad;
            return grad === null ? [] : [{ ...m, grad }];
          });
          if (ready.length === 0) continue;
          ops.foreachIncrement_(
            ready.map((m) => m.step),
            1,
          );
          ops.fusedAdamW_(
            ready.map((m) => m.parameter),
            ready.map((m) => m.grad),
            ready.map((m) => m.first),
            ready.map((m) => m.second),
            [],
            ready.map((m) => m.step),
            lr * group.lrMultiplier,
            ...this.#betas,
            group.weightDecay,
            this.#eps,
            false,
            false,
          );
        }
      });
    });
  }

  zeroGrad(): void {
    for (const { moments } of this.#groups) for (const { parameter } of moments.values()) parameter.grad = null;
  }

  /** Moments by parameter name, borrowed: `<name>.exp_avg`, `<name>.exp_avg_sq`, `<name>.step`. */
  state(): Map<string, Tensor> {
    const state = new Map<string, Tensor>();
    for (const { moments } of this.#groups) {
      for (const [name, m] of moments) {
        state.set(`${name}.exp_avg`, m.first).set(`${name}.exp_avg_sq`, m.second).set(`${name}.step`, m.step);
      }
    }
    return state;
  }

  /** @throws {CheckpointError} the state does not name the same parameters. */
  restore(state: ReadonlyMap<string, Tensor>): void {
    noGrad(() => {
      for (const [name, own] of this.state()) {
        const saved = state.get(name);
        if (saved === undefined) throw new CheckpointError(`The checkpoint has no optimiser state "${name}".`);
        ops.copy_(own, saved);
      }
    });
  }

  dispose(): void {
    for (const tensor of this.state().values()) tensor.dispose();
  }
}

function newMoments(parameter: Parameter): Moments {
  return {
    parameter,
    first: ops.zerosLike(parameter).retain(),
    second: ops.zerosLike(parameter).retain(),
    step: ops.zeros([], 'float32', parameter.device).retain(),
  };
}
