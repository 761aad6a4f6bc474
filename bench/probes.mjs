/**
 * Times the 52 heads of `eval linear` trained in one pass against single heads, each of which encodes all images again:
 *
 *   node bench/probes.mjs [--model M] [--train SPEC] [--test SPEC] [--size PIXELS] [--batch N] [--steps N] [--rounds N]
 *
 * A round trains all heads at once, then one head of each source alone; the rounds' medians count, and a single head's time
 * is the mean over sources. 52 single runs are taken to last 52 times as long. All take the same steps over the same
 * augmented images, one thread, and judge the test images twice (half way and at the end), where a run keeps the features.
 * Prints one JSON document; on a busy machine CPU seconds are the fairer figure.
 */
import { parseArgs } from 'node:util';
import { openDataset } from '../dist/data/spec.js';
import { engine } from '../dist/engine/addon.js';
import { encodedImages } from '../dist/evals/probe/encoded-images.js';
import { headGrid } from '../dist/evals/probe/probe-grids.js';
import { mimSources, readSources } from '../dist/evals/probe/probe-sources.js';
import { trainProbes } from '../dist/evals/probe/train-probes.js';
import { loadEncoder } from '../dist/models/load-encoder.js';
import { Generator } from '../dist/tensor/generator.js';
import * as ops from '../dist/tensor/ops.generated.js';
import { scope } from '../dist/tensor/tensor.js';

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({
  options: {
    model: text('random:vit-ti:8'),
    train: text('scenes://?split=train&count=256&size=64'),
    test: text('scenes://?split=test&count=256&size=64'),
    size: text('64'),
    batch: text('64'),
    steps: text('4'),
    rounds: text('3'),
  },
});
const [size, batch, steps, rounds] = ['size', 'batch', 'steps', 'rounds'].map((key) => Number(values[key]));
engine().setThreads(1);
const device = 'cpu';
const encoder = await loadEncoder(values.model);
const [train, test] = await Promise.all([openDataset(values.train), openDataset(values.test)]);
const noise = ops.randn([1, 3, size, size], new Generator(0), 'float32');
const sources = scope(() => mimSources(encoder, encoder.embed(noise)));

/** Trains and judges the given heads on what they read, and nothing else. */
async function run(read, grid) {
  const example = readSources(encoder, read, noise);
  const shared = { encoder, sources: read, seed: 0, batchSize: batch, workers: 1, device };
  const crop = { kind: 'random-resized-crop', size, scale: [0.08, 1], flip: true };
  const whole = { kind: 'resize', size };
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  await trainProbes(
    {
      images: {
        train: (order) => encodedImages({ ...shared, dataset: train, order, view: crop }),
        judged: () => encodedImages({ ...shared, dataset: test, order: Array(test.size).keys(), view: whole }),
        trainIndices: Int32Array.from({ length: train.size }, (_, i) => i),
        valCount: 0,
        testCount: test.size,
      },
      ...{ protocol: 'mim', grid, example, classes: train.classes.length, batchSize: batch, device, seed: 0, steps },
      ...{ judgeEvery: Math.ceil(steps / 2), onProgress: () => {} },
    },
    (labels) => labels,
  );
  const used = process.cpuUsage(cpu);
  for (const tensor of example.values()) tensor.dispose();
  return { wall: (performance.now() - wall) / 1000, cpu: (used.user + used.system) / 1e6 };
}

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const grid = sources.flatMap(({ name }) => headGrid('mim', name));
const together = [];
const alone = sources.map(() => []);
for (let round = 0; round < rounds; round++) {
  together.push(await run(sources, grid));
  for (const [i, source] of sources.entries()) alone[i].push(await run([source], [headGrid('mim', source.name)[6]]));
}
const compared = Object.fromEntries(
  ['wall', 'cpu'].map((clock) => {
    const medianOf = (runs) => median(runs.map((measured) => measured[clock]));
    const all = medianOf(together);
    const single = alone.reduce((sum, runs) => sum + medianOf(runs), 0) / sources.length;
    return [`${clock}Seconds`, { together: all, single, timesFaster: (grid.length * single) / all }];
  }),
);
console.log(JSON.stringify({ ...values, classes: train.classes.length, heads: grid.length, ...compared }));
