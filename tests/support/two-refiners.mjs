// One of two processes that refine on halves of a batch; run by tests/engine/distributed. Arguments: dist, rank, port, out.
import { pathToFileURL } from 'node:url';

const [dist, rankText, portText, out] = process.argv.slice(2);
const load = (path) => import(new URL(path, pathToFileURL(`${dist}/`)).href);
const rank = Number(rankText);
const { engine } = await load('engine/addon.js');
const { ProcessGroup } = await load('distributed/process-group.js');
const { trainStep } = await load('train/train-step.js');
const { writeSafetensors } = await load('tensor/safetensors.js');
const { scope } = await load('tensor/tensor.js');
const { makeRefiner, makeBatch, traces, STEPS } = await import('./two-refiners-case.mjs');
engine().setThreads(1);

const group = new ProcessGroup({ host: '127.0.0.1', port: Number(portText), rank, worldSize: 2 });
const refiner = await makeRefiner(load, group);
const losses = [];
for (let step = 0; step < STEPS; step++) {
  const batch = await makeBatch(load, step, rank, 2);
  losses.push(trainStep(refiner, [batch], step, { measure: false, group }).total);
}
scope(() => writeSafetensors(out, traces(refiner)));
process.stdout.write(`${JSON.stringify(losses)}\n`);
group.barrier();
group.close();
refiner.dispose();
