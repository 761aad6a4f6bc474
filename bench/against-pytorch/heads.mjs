// Both heads of CAPI with 16384 prototypes, 64 images of 256 patches, width 384: kernels against the plain operators beside
// them, each forward and backward. Memory is the largest resident size of a process that does one of them only.
//
//     node bench/against-pytorch/heads.mjs --way kernels --threads 2      (or --way plain)
import { parseArgs } from 'node:util';
import { engine } from '../../dist/engine/addon.js';
import { crossEntropy } from '../../dist/methods/capi/cross-entropy.js';
import { chosen, OnlineClustering } from '../../dist/methods/capi/online-clustering.js';
import { StudentHead } from '../../dist/methods/capi/student-head.js';
import { Generator } from '../../dist/tensor/generator.js';
import * as ops from '../../dist/tensor/ops.generated.js';
import { scope, Tensor } from '../../dist/tensor/tensor.js';

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({ options: { way: text('kernels'), threads: text('2'), rounds: text('3') } });
engine().setThreads(Number(values.threads));
const [batch, positions, width, prototypes, predicted] = [64, 256, 384, 16384, 8];
const generator = new Generator(0);
const temperatures = { targetTemperature: 0.06, predictionTemperature: 0.12 };
const clusters = { width, prototypes, ...temperatures, iterations: 3, balance: 'positionwise' };
const clustering = new OnlineClustering(clusters, generator);
const head = new StudentHead({ width, prototypes }, generator);
const features = ops.transpose(ops.randn([batch, positions, width], generator, 'float32'), 0, 1);
const student = ops.randn([batch * predicted, width], generator, 'float32');
student.requiresGrad = true;
const rows = BigInt64Array.from({ length: batch * predicted }, (_, i) => BigInt(i * (positions / predicted)));
const patches = Tensor.from(rows, [rows.length]);

function kernels() {
  const { assignments_SK, loss } = clustering.forwardAt(features, patches, false);
  loss.backward();
  head.crossEntropy(student, assignments_SK, 0.12).backward();
}

function plain() {
  const { assignments_NBK, loss } = clustering.forward(features);
  loss.backward();
  const { assignments_SK } = chosen(assignments_NBK, patches, false);
  crossEntropy(head.forward(student), assignments_SK, 0.12).backward();
}

const before = process.resourceUsage().maxRSS * 1024;
const times = [];
for (let round = 0; round <= Number(values.rounds); round++) {
  const started = performance.now();
  scope(values.way === 'plain' ? plain : kernels);
  if (round > 0) times.push(performance.now() - started);
}
const ms = times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
const addedBytes = process.resourceUsage().maxRSS * 1024 - before;
console.log(JSON.stringify({ way: values.way, ms, addedBytes }));
