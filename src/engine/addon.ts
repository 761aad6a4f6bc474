import { createRequire } from 'node:module';
import { DisposedError, EngineError, ShapeError } from '../support/errors.js';
import { requireInstallation } from './installation.js';

/** A number that names a live tensor of the addon: its slot and generation. */
export type Handle = number;

/** What an operator returns through the boxed door. */
export type Result = Handle | number | boolean | null | undefined | readonly Result[];

/** Live handles, their bytes (views count again), the highest bytes so far, and open scopes. */
export interface Counters {
  readonly tensors: number;
  readonly bytes: number;
  readonly peakBytes: number;
  readonly scopes: number;
}

/** The functions of the addon, as `native/*.cc` registers them. */
export interface Addon {
  find(name: string, overload: string): number;
  call(operator: number, ...args: unknown[]): Result;
  schemas(): string;
  dispose(tensor: Handle): void;
  isLive(tensor: Handle): boolean;
  retain(tensor: Handle): void;
  scopeOpen(): number;
  scopeClose(keep?: readonly Handle[]): void;
  counters(): Counters;
  shape(tensor: Handle): number[];
  dtype(tensor: Handle): number;
  device(tensor: Handle): string;
  item(tensor: Handle): number | boolean;
  fromBytes(view: NodeJS.TypedArray, shape: readonly number[], dtype: number): Handle;
  copyBytes(tensor: Handle, view: NodeJS.TypedArray): void;
  backward(outputs: readonly Handle[], gradients?: readonly Handle[]): void;
  grad(outputs: readonly Handle[], inputs: readonly Handle[], gradients?: readonly Handle[]): (Handle | null)[];
  gradient(tensor: Handle): Handle | null;
  setGradient(tensor: Handle, gradient: Handle | null): void;
  requiresGrad(tensor: Handle): boolean;
  setRequiresGrad(tensor: Handle, value: boolean): void;
  gradMode(): boolean;
  setGradMode(enabled: boolean): void;
  createGenerator(device: string, seed: number | bigint): number;
  disposeGenerator(generator: number): void;
  seedGenerator(generator: number, seed: number | bigint): void;
  generatorState(generator: number): Handle;
  setGeneratorState(generator: number, state: Handle): void;
  openGroup(host: string, port: number, rank: number, worldSize: number, timeoutMs: number): number;
  closeGroup(group: number): void;
  allReduce(group: number, tensor: Handle, operation: 'sum' | 'max'): void;
  sum(group: number, tensor: Handle): Handle;
  broadcast(group: number, tensor: Handle, root: number): void;
  barrier(group: number): void;
  setThreads(count: number): void;
  threads(): number;
  /** Sets whether products of float32 matrices on a device are made in bfloat16; gives what was set before. */
  autocast(device: string, enabled: boolean): boolean;
  startProfile(): void;
  /** Name, calls and seconds of every operator since, one after the other. */
  stopProfile(): (string | number)[];
  info(): { version: string; cpuCapability: string; tiles: boolean; cuda: boolean; parallel: string };
}

let loaded: Addon | undefined;

/**
 * The addon, loaded at the first call.
 * @throws {EngineError} no engine is installed, or the addon does not load.
 */
export function engine(): Addon {
  loaded ??= guarded(load());
  return loaded;
}

function load(): Addon {
  const { addon } = requireInstallation();
  try {
    return createRequire(import.meta.url)(addon) as Addon;
  } catch (cause) {
    throw new EngineError(`The engine's addon was found but could not be loaded: ${(cause as Error).message}`, {
      hint: 'Run `npm run setup` to build it again; `tessera doctor` shows what was found.',
      cause,
    });
  }
}

/** The addon with its coded errors turned into our classes. */
function guarded(addon: Addon): Addon {
  const entries = Object.entries(addon).map(([name, native]: [string, (...args: unknown[]) => unknown]) => [
    name,
    (...args: unknown[]) => {
      try {
        return native(...args);
      } catch (error) {
        throw translate(error as Error & { code?: string });
      }
    },
  ]);
  return Object.fromEntries(entries) as Addon;
}

function translate(error: Error & { code?: string }): Error {
  switch (error.code) {
    case 'DISPOSED':
      return new DisposedError(`${error.message}.`, {
        hint: 'Return a tensor from its scope, or retain it, if it is needed later.',
      });
    case 'SHAPE':
      return new ShapeError(error.message);
    case 'ENGINE':
      return new EngineError(error.message);
    default:
      return error;
  }
}
