// One of two processes that train on halves of a batch; run by tests/engine/distributed. Arguments: dist, rank, port, out.
import { pathToFileURL } from 'node:url';

const [dist, rankText, portText, out] = process.argv.slice(2);
const load = (path) => import(new URL(path, pathToFileURL(`${dist}/`)).href);
const rank = Number(rankText);
const { engine } = await load('engine/addon.js');
const { ProcessGroup } = await load('distributed/process-group.js');
const { trainStep } = await load('train/train-step.js');
const { writeSafetensors } = await load('tensor/safetensors.js');
const { sinkhornKnopp } = await load('methods/capi/sinkhorn-knopp.js');
const { scope, Tensor } = await load('tensor/tensor.js');
const ops = await load('tensor/ops.generated.js');
const { makeCapi, makeBatch, makeScores } = await import('./two-processes-case.mjs');
engine().setThreads(1);

const group = new ProcessGroup({ host: '127.0.0.1', port: Number(portText), rank, worldSize: 2 });
const capi = await makeCapi(load, group);
const batch = await makeBatch(load, capi, rank, 2);
scope(() => {
  const all = makeScores(Tensor);
  const half = ops.narrow(all, 1, rank * 3, 3);
  const result = new Map([['sinkhorn', ops.contiguous(sinkhornKnopp(half, 3, group))]]);
  const values = trainStep(capi, [batch], 1, {
    measure: false,
    group,
    beforeUpdate: () => {
      for (const [name, parameter] of [
        ...capi.student.parameters('student.'),
        ...capi.clustering.parameters('clustering.'),
      ]) {
        if (parameter.grad) result.set(`grad.${name}`, parameter.grad);
      }
      writeSafetensors(out, result);
      return false;
    },
  });
  process.stdout.write(`${JSON.stringify(values)}\n`);
});
group.barrier();
group.close();
capi.dispose();
