// The forward pass of a ViT-S/16 at 224 pixels, by Tessera's engine and by onnxruntime-node on the exported file, in turn.
//
//     node bench/against-pytorch/encoder-forward.mjs --threads 2 --rounds 9
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  options: { threads: { type: 'string', default: '2' }, rounds: { type: 'string', default: '9' } },
});
const [threads, rounds] = [Number(values.threads), Number(values.rounds)];
engine().setThreads(threads);
const generator = new Generator(0);
const positions = { kind: 'table', rows: 14, columns: 14 };
const options = vitOptions({ ...{ patchSize: 16, width: 384, depth: 12, heads: 6 }, positions });
const encoder = new VisionTransformer(options, generator);
const folder = mkdtempSync(join(tmpdir(), 'tessera-forward-'));
const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];

try {
  const { file } = await exportEncoder(encoder, { out: join(folder, 'encoder.onnx'), size: 224, dynamic: true });
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: threads });
  for (const batch of [1, 32]) {
    const images = ops.randn([batch, 3, 224, 224], generator, 'float32');
    const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', images.data(), [batch, 3, 224, 224]) };
    const [ours, theirs] = [[], []];
    for (let round = 0; round <= rounds; round++) {
      let started = performance.now();
      scope(() => void encoder.embed(images));
      if (round > 0) ours.push(performance.now() - started);
      started = performance.now();
      await session.run(feeds);
      if (round > 0) theirs.push(performance.now() - started);
    }
    images.dispose();
    const [ms, onnxruntimeMs] = [median(ours), median(theirs)];
    console.log(JSON.stringify({ batch, threads, ms, onnxruntimeMs, ratio: onnxruntimeMs / ms }));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
