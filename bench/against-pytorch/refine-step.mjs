// One MIM-Refiner step (second stage) of Tessera, timed on images of noise: what refine_step.py does, with the same sizes.
//
//     node bench/against-pytorch/refine-step.mjs --threads 2 --batch 8 --steps 5
import { parseArgs } from 'node:util';
import { engine } from '../../dist/engine/addon.js';
import { MimRefiner } from '../../dist/methods/mim-refiner/mim-refiner.js';
import { refinerRecipe } from '../../dist/methods/mim-refiner/refiner-config.js';
import { vitOptions } from '../../dist/models/vit-options.js';
import { Generator } from '../../dist/tensor/generator.js';
import * as ops from '../../dist/tensor/ops.generated.js';
import { scope, Tensor } from '../../dist/tensor/tensor.js';
import { trainStep } from '../../dist/train/train-step.js';

const number = (value) => ({ type: 'string', default: String(value) });
const { values } = parseArgs({
  options: { threads: number(2), batch: number(8), steps: number(5), 'warm-up': number(2) },
});
const [threads, batchSize, steps, warmUp] = ['threads', 'batch', 'steps', 'warm-up'].map((name) =>
  Number(values[name]),
);

engine().setThreads(threads);
const config = refinerRecipe.parse({
  method: 'mim-refiner',
  stage: 'refine',
  heads: { on: ['last', 10, 9, 8, 7, 6, 5, 4] },
  optim: { batchSize },
});
const encoder = vitOptions({
  ...{ patchSize: 16, width: 384, depth: 12, heads: 6 },
  positions: { kind: 'table', rows: 14, columns: 14 },
});
const method = new MimRefiner(config, { encoder: { kind: 'vit', ...encoder } });
const generator = new Generator(0);

function batchOf(step) {
  return scope(() => ({
    globals_N3YX: ops.randn([2 * batchSize, 3, 224, 224], generator, 'float32'),
    locals_N3YX: ops.randn([10 * batchSize, 3, 96, 96], generator, 'float32'),
    indices_B: Tensor.from(
      BigInt64Array.from({ length: batchSize }, (_, i) => BigInt(step * batchSize + i)),
      [batchSize],
    ),
    labels_B: ops.full([batchSize], -1, 'int64'),
    labelled: false,
  }));
}

const times = [];
const cpuTimes = [];
let loss = Number.NaN;
for (let step = 0; step < warmUp + steps; step++) {
  const batch = batchOf(step);
  const started = performance.now();
  const cpuStarted = process.cpuUsage();
  ({ total: loss } = trainStep(method, [batch], step, { measure: false }));
  if (step >= warmUp) {
    times.push(performance.now() - started);
    const { user, system } = process.cpuUsage(cpuStarted);
    cpuTimes.push((user + system) / 1000);
  }
  method.disposeBatch(batch);
}
method.dispose();
generator.dispose();

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle) - 1]) / 2;
}

const result = { stepMsMedian: median(times), stepMsMin: Math.min(...times), cpuMsMedian: median(cpuTimes), loss };
console.log(JSON.stringify(result));
