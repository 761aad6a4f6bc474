import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { engine } from '../../engine/addon.js';
import { Capi } from '../../methods/capi/capi.js';
import { type CapiConfig, capiRecipe } from '../../methods/capi/capi-config.js';
import { productFlops, stepProducts } from '../../methods/capi/step-products.js';
import { byteText } from '../../support/byte-text.js';
import { UsageError } from '../../support/errors.js';
import { suggestion } from '../../support/nearest-name.js';
import { numberText } from '../../support/number-text.js';
import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, Tensor } from '../../tensor/tensor.js';
import { trainStep } from '../../train/train-step.js';
import { type CommandResult, cardText } from '../output.js';
import { blas, matrixProductPeak, productSeconds } from './matrix-product-peak.js';

/** The checked options of `tessera bench step`. */
export type BenchStepOptions = {
  readonly preset: string | undefined;
  readonly batch: number | undefined;
  readonly image: number | undefined;
  readonly threads: number | undefined;
  readonly steps: number | undefined;
  readonly precision: string | undefined;
  readonly device: string | undefined;
  /** JSON document of an earlier measurement. */
  readonly vs: string | undefined;
};

/** Networks that are timed; the same sizes are timed of the published code. */
const presets = {
  tiny: { width: 192, heads: 3, depth: 12, predictorDepth: 4, patchSize: 8, prototypes: 1024 },
  small: { width: 384, heads: 6, depth: 12, predictorDepth: 6, patchSize: 14, prototypes: 4096 },
  base: { width: 768, heads: 12, depth: 12, predictorDepth: 6, patchSize: 14, prototypes: 8192 },
  large: { width: 1024, heads: 16, depth: 24, predictorDepth: 12, patchSize: 14, prototypes: 16384 },
} as const;

const warmUp = 2;

interface Measurement {
  readonly preset: string;
  readonly batch: number;
  readonly image: number;
  readonly threads: number;
  readonly stepMsMedian: number;
  readonly stepMsMin: number;
  readonly imagesPerSecond: number;
  readonly gflopsPerStep: number;
  readonly peakGflops: number;
  readonly mfu: number;
  /** What the step's matrix products take alone, each at the rate of its own shape. */
  readonly limitMs: number;
  /** What they take in libtorch's BLAS, which is the same where the engine has none of its own. */
  readonly blasMs: number;
  readonly peakMemoryBytes: number;
  /** From the start of the process to the loaded engine. */
  readonly startMs: number;
}

/** `tessera bench step`. */
export async function benchStep(options: BenchStepOptions): Promise<CommandResult> {
  const before = options.vs === undefined ? undefined : readMeasurement(options.vs);
  const measured = measure(options);
  const ratio = before && measured.imagesPerSecond / before.imagesPerSecond;
  const card = cardText(
    `one training step · ${measured.preset}, ${measured.batch} images of ${measured.image} px, ${measured.threads} threads`,
    [
      ['step', `${numberText(measured.stepMsMedian)} ms (median), ${numberText(measured.stepMsMin)} ms (least)`],
      ['speed', `${numberText(measured.imagesPerSecond, 3)} images/s`],
      ['work', `${numberText(measured.gflopsPerStep, 3)} GFLOP in matrix products`],
      ['peak', `${numberText(measured.peakGflops, 3)} GFLOP/s, a large matrix product on this machine just now`],
      ['share', `${numberText(100 * measured.mfu, 3)} % of that peak`],
      ['limit', productsText(measured.limitMs, measured)],
      ['BLAS', productsText(measured.blasMs, measured)],
      ['start', `${numberText(measured.startMs)} ms until the engine was loaded`],
      ['memory', `${byteText(measured.peakMemoryBytes)} resident at most, the whole process`],
      ['against', ratio === undefined ? undefined : `${options.vs}: ${numberText(ratio, 3)} times as fast`],
    ],
  );
  return { card, json: { ...measured, ...(ratio === undefined ? {} : { ratio }) } };
}

function productsText(ms: number, { stepMsMedian }: Measurement): string {
  return `${numberText(ms)} ms for the products alone, shape by shape: ${numberText((100 * ms) / stepMsMedian, 3)} % of the step`;
}

function measure(options: BenchStepOptions): Measurement {
  const bench = benchSettings(options);
  const { config, device, startMs } = bench;
  const peakGflops = matrixProductPeak();
  const times: number[] = [];
  timeSteps(config, options.steps ?? 8, device, (ms) => times.push(ms));
  times.sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)]!;
  const products = stepProducts(config);
  const productsMs = (multiply?: typeof blas) =>
    1000 * products.reduce((sum, product) => sum + product.times * productSeconds(product, 5, multiply), 0);
  const gflopsPerStep = productFlops(products) / 1e9;
  return {
    preset: bench.preset,
    batch: config.optim.batchSize,
    image: config.data.imageSize,
    threads: bench.threads,
    stepMsMedian: median,
    stepMsMin: times[0]!,
    imagesPerSecond: (1000 * config.optim.batchSize) / median,
    gflopsPerStep,
    peakGflops,
    mfu: gflopsPerStep / (median / 1000) / peakGflops,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    startMs,
    limitMs: productsMs(),
    blasMs: productsMs(blas),
  };
}

/** What a step is timed with. Sets the engine's threads. @throws {UsageError} unknown preset */
export function benchSettings(options: Omit<BenchStepOptions, 'steps' | 'vs'>) {
  const preset = options.preset ?? 'small';
  if (!Object.hasOwn(presets, preset)) {
    const known = Object.keys(presets);
    throw new UsageError(
      `expected one of the presets ${known.join(', ')}, received ${preset}${suggestion(preset, known)}`,
    );
  }
  const { predictorDepth, prototypes, ...sizes } = presets[preset as keyof typeof presets];
  const threads = options.threads ?? availableParallelism();
  engine().setThreads(threads);
  // This clock starts with the process.
  const startMs = performance.now();
  const config = capiRecipe.parse({
    method: 'capi',
    model: { ...sizes, predictor: { depth: predictorDepth } },
    data: { imageSize: options.image ?? 224 },
    mask: { kind: 'uniform' },
    capi: { prototypes },
    optim: { batchSize: options.batch ?? 8, precision: precisionOf(options.precision) },
  });
  return { preset, config, threads, device: options.device ?? 'cpu', startMs };
}

/** @throws {UsageError} it is no type that a step can be timed in. */
function precisionOf(text = 'float32'): 'float32' | 'bfloat16' {
  if (text === 'float32' || text === 'bfloat16') return text;
  throw new UsageError(`--precision: expected float32 or bfloat16, received ${text}`);
}

/** Milliseconds of each step on images of noise, without making the images; they are told after the warm-up. */
export function timeSteps(config: CapiConfig, steps: number, device: string, tell: (ms: number) => void): void {
  using generator = new Generator(config.seed);
  const capi = new Capi(config, { device });
  const { batchSize } = config.optim;
  const { imageSize } = config.data;
  for (let step = 0; step < warmUp + steps; step++) {
    const masked = capi.drawMasks(batchSize, step * batchSize);
    const batch = scope(() => ({
      images_B3YX: ops.toDevice(
        ops.randn([batchSize, 3, imageSize, imageSize], generator, 'float32'),
        device,
        'float32',
      ),
      visible: ops.toDevice(Tensor.from(masked.visible, [masked.visible.length]), device, 'int64'),
      predict: ops.toDevice(Tensor.from(masked.predict, [masked.predict.length]), device, 'int64'),
    }));
    const started = performance.now();
    // A step of the warm-up has a learning rate above zero, as in training.
    trainStep(capi, [batch], step + 1, { measure: false });
    const taken = performance.now() - started;
    if (step >= warmUp) tell(taken);
    capi.disposeBatch(batch);
  }
  capi.dispose();
}

function readMeasurement(path: string): Measurement {
  try {
    const parsed = JSON.parse(readFileSync(path, 'utf8')) as Measurement;
    if (Number.isFinite(parsed.imagesPerSecond)) return parsed;
  } catch (cause) {
    throw new UsageError(`--vs: ${path} is not a measurement: ${(cause as Error).message}`, {
      hint: 'Make one with: tessera bench step --json > before.json',
    });
  }
  throw new UsageError(`--vs: ${path} is not a measurement of bench step: it has no imagesPerSecond`);
}
