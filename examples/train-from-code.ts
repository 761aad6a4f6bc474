/**
 * Trains a small encoder from code and judges it against an untrained one.
 *
 *   npm run example train-from-code -- runs/from-code
 */
import { defineRecipe, evaluate, loadImageEncoder, openDataset, pretrain } from 'tessera';

const [out = 'runs/from-code', steps = '60'] = process.argv.slice(2);
const recipe = defineRecipe({
  method: 'capi',
  model: { width: 64, depth: 4, heads: 4, patchSize: 8, predictor: { depth: 2 }, dropPath: { rate: 0 } },
  data: { imageSize: 48 },
  mask: { predict: 0.5 },
  capi: { prototypes: 64, balance: 'pooled', lr: 1e-3 },
  optim: { steps: Number(steps), batchSize: 32, lr: 2e-3, warmupSteps: Math.floor(Number(steps) / 10), momentum: 0.98 },
});
const { lossFirst, lossLast } = await pretrain({ recipe, data: 'scenes://?split=train&count=512&size=48', out });
console.log(`loss ${lossFirst.toFixed(3)} to ${lossLast.toFixed(3)}`);

const [encoder, floor] = [await loadImageEncoder(out), await loadImageEncoder(`random:${out}`)];
const { metrics, floor: untrained } = await evaluate({
  task: 'segment-knn',
  encoder,
  floor,
  data: {
    train: await openDataset('scenes://?split=train&count=64&size=48'),
    test: await openDataset('scenes://?split=val&count=64&size=48'),
  },
  size: 48,
});
console.log(`mean IoU ${metrics.miou!.toFixed(1)} %, untrained ${untrained!.miou!.toFixed(1)} %`);
encoder.dispose();
floor.dispose();
