import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ProcessGroup } from '../../../src/distributed/process-group.js';
import type { Capi, CapiBatch } from '../../../src/methods/capi/capi.js';
import { sinkhornKnopp } from '../../../src/methods/capi/sinkhorn-knopp.js';
import { EngineError } from '../../../src/support/errors.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { readSafetensors } from '../../../src/tensor/safetensors.js';
import { scope, Tensor } from '../../../src/tensor/tensor.js';
import { trainStep } from '../../../src/train/train-step.js';
import { expectClose } from '../../support/goldens.js';
import { freePort, startProcess } from '../../support/start-process.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import * as shared from '../../support/two-processes-case.mjs';

const load = (path: string) => import(`../../../src/${path.replace(/\.js$/, '.ts')}`);

it('computes in two processes what one computes on the whole batch', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const outputs = [0, 1].map((rank) => join(folder, `rank-${rank}.safetensors`));
  const losses = (await Promise.all(
    outputs.map((out, rank) => startProcess('two-processes.mjs', rank, port, out)),
  )) as Record<string, number>[];

  const capi: Capi = await shared.makeCapi(load, undefined);
  const batch: CapiBatch = await shared.makeBatch(load, capi, 0, 1);
  scope(() => {
    const [first, second] = outputs.map((path) => readSafetensors(path));
    const whole = sinkhornKnopp(shared.makeScores(Tensor), 3);
    expectClose(ops.cat([first!.get('sinkhorn')!, second!.get('sinkhorn')!], 1), whole, 1e-5, 'assignments');

    let compared = 0;
    const values = trainStep(capi, [batch], 1, {
      measure: false,
      beforeUpdate: () => {
        for (const [name, parameter] of [
          ...capi.student.parameters('student.'),
          ...capi.clustering.parameters('clustering.'),
        ]) {
          if (!parameter.grad) continue;
          for (const rank of [first!, second!]) expectClose(rank.get(`grad.${name}`)!, parameter.grad, 1e-5, name);
          compared++;
        }
        return false;
      },
    });
    expect(compared).toBeGreaterThan(20);
    for (const name of ['student', 'clustering']) {
      const mean = (losses[0]![name]! + losses[1]![name]!) / 2;
      expect(Math.abs(mean / values[name]! - 1)).toBeLessThanOrEqual(1e-5);
    }
  });
  capi.dispose();
});

it('says so when the other process does not come', async () => {
  const port = await freePort();
  expect(() => new ProcessGroup({ host: '127.0.0.1', port, rank: 0, worldSize: 2, timeoutMs: 500 })).toThrow(
    EngineError,
  );
});
