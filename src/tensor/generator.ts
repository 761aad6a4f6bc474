import { engine } from '../engine/addon.js';
import { Tensor } from './tensor.js';

/** A seeded generator of the engine, with a state that can be saved. */
export class Generator {
  /** The addon's number for it; only `tensor/` uses it. */
  readonly id: number;

  /** @param seed integer in [0, 2^53) */
  constructor(seed: number, device = 'cpu') {
    this.id = engine().createGenerator(device, seed);
  }

  seed(seed: number): void {
    engine().seedGenerator(this.id, seed);
  }

  /** The state as uint8 bytes; the caller owns the tensor. */
  state(): Tensor {
    return new Tensor(engine().generatorState(this.id));
  }

  restore(state: Tensor): void {
    // PyTorch reads from the beginning of the memory, also where the tensor is a later part of it.
    using own = Tensor.from(state.data(), state.shape);
    engine().setGeneratorState(this.id, own.handle);
  }

  dispose(): void {
    engine().disposeGenerator(this.id);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
