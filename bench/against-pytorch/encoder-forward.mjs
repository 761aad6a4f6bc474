// The forward pass of a ViT-S/16 at 224 pixels, by Tessera's engine and by onnxruntime-node on the exported file, in turns.
//
//     node bench/against-pytorch/encoder-forward.mjs --threads 2 --turns 3 --rounds 5
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { engine } from '../../dist/engine/addon.js';
import { exportEncoder } from '../../dist/export/export-encoder.js';
import { VisionTransformer } from '../../dist/models/vit.js';
import { vitOptions } from '../../dist/models/vit-options.js';
import { Generator } from '../../dist/tensor/generator.js';
import * as ops from '../../dist/tensor/ops.generated.js';
import { scope } from '../../dist/tensor/tensor.js';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    turns: { type: 'string', default: '3' },
  },
});
const [threads, rounds, turns] = [values.threads, values.rounds, values.turns].map(Number);
engine().setThreads(threads);
const generator = new Generator(0);
const positions = { kind: 'table', rows: 14, columns: 14 };
const options = vitOptions({ ...{ patchSize: 16, width: 384, depth: 12, heads: 6 }, positions });
const encoder = new VisionTransformer(options, generator);
const folder = mkdtempSync(join(tmpdir(), 'tessera-forward-'));
/** Rounds one after the other, the first not counted, after a pause: the threads of onnxruntime keep spinning after a run. */
async function timed(times, run) {
  await pause(300);
  for (let round = 0; round <= rounds; round++) {
    const started = performance.now();
    await run();
    if (round > 0) times.push(performance.now() - started);
  }
}
const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];

try {
  const { file } = await exportEncoder(encoder, { out: join(folder, 'encoder.onnx'), size: 224, dynamic: true });
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: threads });
  for (const batch of [1, 32]) {
    const images = ops.randn([batch, 3, 224, 224], generator, 'float32');
    const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', images.data(), [batch, 3, 224, 224]) };
    const [ours, theirs] = [[], []];
    for (let turn = 0; turn < turns; turn++) {
      await timed(ours, () => scope(() => void encoder.embed(images)));
      await timed(theirs, () => session.run(feeds));
    }
    images.dispose();
    const [ms, onnxruntimeMs] = [median(ours), median(theirs)];
    console.log(JSON.stringify({ batch, threads, ms, onnxruntimeMs, ratio: onnxruntimeMs / ms }));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
