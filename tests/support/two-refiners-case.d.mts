import type { MimRefiner } from '../../src/methods/mim-refiner/mim-refiner.js';
import type { RefinerBatch } from '../../src/methods/mim-refiner/refiner-batch.js';
import type { Tensor } from '../../src/tensor/tensor.js';

type Load = (path: string) => Promise<unknown>;
export declare const STEPS: number;
export declare function makeRefiner(load: Load, group: unknown): Promise<MimRefiner>;
export declare function makeBatch(load: Load, step: number, rank: number, worldSize: number): Promise<RefinerBatch>;
export declare function traces(refiner: MimRefiner): Map<string, Tensor>;
