import type { ProcessGroup } from '../../src/distributed/process-group.js';
import type { Capi, CapiBatch } from '../../src/methods/capi/capi.js';
import type { Tensor } from '../../src/tensor/tensor.js';

type Load = (path: string) => Promise<Record<string, never>>;
export function makeCapi(load: Load, group: ProcessGroup | undefined): Promise<Capi>;
export function makeBatch(load: Load, capi: Capi, rank: number, worldSize: number): Promise<CapiBatch>;
export function makeScores(tensorClass: typeof Tensor): Tensor;
