import { engine, type Handle } from '../engine/addon.js';
import { ShapeError } from '../support/errors.js';
import { type DType, dtypeCode, dtypeFromCode, emptyView, type TensorData } from './dtype.js';

/** Handles of tensors made outside every scope, freed if nobody did so before the garbage collector. */
const forgotten = new FinalizationRegistry<Handle>((handle) => engine().dispose(handle));
let openScopes = 0;

/**
 * A tensor of the engine. Functions borrow their arguments and return tensors that the caller owns: the scope around
 * the call frees them, or `using`, or `dispose()`. The garbage collector is the net below, not the plan.
 */
export class Tensor {
  /** The addon's number for it; only `tensor/` uses it. */
  readonly handle: Handle;

  /** Wraps a handle that the addon has just made. */
  constructor(handle: Handle) {
    this.handle = handle;
    if (openScopes === 0) forgotten.register(this, handle, this);
  }

  /** Copies data in row-major order; the dtype follows the view unless given (16-bit floats are passed as bits). */
  static from(data: TensorData, shape: readonly number[], dtype: DType = dtypeOf(data)): Tensor {
    return new Tensor(engine().fromBytes(data, shape, dtypeCode(dtype)));
  }

  get shape(): number[] {
    return engine().shape(this.handle);
  }

  get dtype(): DType {
    return dtypeFromCode(engine().dtype(this.handle));
  }

  /** `cpu`, `cuda:0`, … */
  get device(): string {
    return engine().device(this.handle);
  }

  /** Length of one axis; negative axes count from the end. */
  size(axis: number): number {
    const size = this.shape.at(axis);
    if (size === undefined)
      throw new ShapeError(`Expected an axis of a tensor with shape [${this.shape}], received ${axis}.`);
    return size;
  }

  /** Number of elements. */
  get length(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  /** The only element, as a number. */
  item(): number {
    return Number(engine().item(this.handle));
  }

  /** A copy of the elements in row-major order; 16-bit floats come as their bits. */
  data(): TensorData {
    const view = emptyView(this.dtype, this.length);
    engine().copyBytes(this.handle, view);
    return view;
  }

  /** A copy as numbers, for small tensors. */
  numbers(): number[] {
    return Array.from(this.data() as Float32Array, Number);
  }

  get requiresGrad(): boolean {
    return engine().requiresGrad(this.handle);
  }

  set requiresGrad(value: boolean) {
    engine().setRequiresGrad(this.handle, value);
  }

  /** The accumulated gradient, or null. */
  get grad(): Tensor | null {
    const gradient = engine().gradient(this.handle);
    return gradient === null ? null : new Tensor(gradient);
  }

  set grad(gradient: Tensor | null) {
    engine().setGradient(this.handle, gradient === null ? null : gradient.handle);
  }

  /** Accumulates the gradients of this scalar into the leaves. */
  backward(): void {
    engine().backward([this.handle]);
  }

  /** Takes the tensor out of the scope it was made in: it now lives until `dispose`. */
  retain(): this {
    if (openScopes > 0) {
      engine().retain(this.handle);
      forgotten.register(this, this.handle, this);
    }
    return this;
  }

  /** Gives up ownership: the caller takes over the handle, and this object no longer frees it when collected. */
  release(): Handle {
    forgotten.unregister(this);
    return this.handle;
  }

  get disposed(): boolean {
    return !engine().isLive(this.handle);
  }

  /** Frees it now. Freeing twice does nothing. */
  dispose(): void {
    forgotten.unregister(this);
    engine().dispose(this.handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return this.disposed ? 'Tensor(freed)' : `Tensor(${this.dtype} [${this.shape.join(', ')}] on ${this.device})`;
  }
}

function dtypeOf(data: TensorData): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Int16Array) return 'int16';
  throw new ShapeError('Expected the dtype beside a Uint16Array: it may hold float16 or bfloat16.');
}

/** What a scope may return: tensors, alone or inside arrays, plain objects and maps, among other values. */
export type Kept = unknown;

/**
 * Runs `body` and frees every tensor made inside it, except those in what it returns (arrays, plain objects and maps
 * are searched). `body` must not be asynchronous: tensors of other work would fall into the scope.
 */
export function scope<T extends Kept>(body: () => T): T {
  engine().scopeOpen();
  openScopes++;
  let kept: Tensor[] = [];
  try {
    const result = body();
    if (result instanceof Promise) throw new TypeError('A tensor scope must not be asynchronous.');
    kept = tensorsIn(result);
    return result;
  } finally {
    openScopes--;
    engine().scopeClose(kept.map((tensor) => tensor.handle));
    if (openScopes === 0) for (const tensor of kept) forgotten.register(tensor, tensor.handle, tensor);
  }
}

function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (value instanceof Map) return [...value.values()].flatMap(tensorsIn);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.values(value).flatMap(tensorsIn);
  }
  return [];
}

/** Runs `body` without recording operations for gradients. */
export function noGrad<T>(body: () => T): T {
  const before = engine().gradMode();
  engine().setGradMode(false);
  try {
    return body();
  } finally {
    engine().setGradMode(before);
  }
}

/**
 * Gradients of scalar outputs with respect to inputs, without touching `.grad`; null where an input was not used.
 */
export function gradients(outputs: readonly Tensor[], inputs: readonly Tensor[]): (Tensor | null)[] {
  const found = engine().grad(
    outputs.map((t) => t.handle),
    inputs.map((t) => t.handle),
  );
  return found.map((handle) => (handle === null ? null : new Tensor(handle)));
}

/** Live tensors and their bytes, for tests and for the leak check of a run. */
export function liveTensors(): { tensors: number; bytes: number; peakBytes: number } {
  return engine().counters();
}
