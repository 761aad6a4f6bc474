import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { engine } from '../../engine/addon.js';
import { packageRoot } from '../../engine/folders.js';
import { runProgram } from '../../engine/run-program.js';
import { chunkBytes, type Distance, nearestNeighbours } from '../../evals/knn/nearest-neighbours.js';
import { byteText } from '../../support/byte-text.js';
import { UsageError } from '../../support/errors.js';
import { numberText } from '../../support/number-text.js';
import { Generator } from '../../tensor/generator.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { type CommandResult, cardText } from '../output.js';
import { matrixProductPeak } from './matrix-product-peak.js';

/** The checked options of `tessera bench knn`. */
export type BenchKnnOptions = {
  readonly rows: number | undefined;
  readonly width: number | undefined;
  readonly k: number | undefined;
  readonly threads: number | undefined;
  readonly rounds: number | undefined;
  /** A Python with scikit-learn to compare with. */
  readonly python: string | undefined;
};

interface Sizes {
  readonly rows: number;
  readonly width: number;
  readonly k: number;
  readonly threads: number;
}

/** Seconds of one search by the clock and of the processor. */
interface Times {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** A metric: medians over the rounds. */
interface Found {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly gflops: number;
  readonly sklearn?: Times & {
    /** How many times as fast ours is. */
    readonly ratio: number;
    /** Share of its neighbours that ours are as well. */
    readonly agreement: number;
  };
}

const distances = ['cosine', 'L2'] as const;

/**
 * `tessera bench knn`: neighbours of random rows among as many other ones; with `python`, each search alternates with
 * scikit-learn's.
 *
 * @throws {UsageError} `python` does not run the comparison.
 */
export async function benchKnn(options: BenchKnnOptions): Promise<CommandResult> {
  const { rows = 20_000, width = 384, k = 30, threads = availableParallelism(), rounds = 3, python } = options;
  const sizes = { rows, width, k, threads };
  engine().setThreads(threads);
  const peakGflops = matrixProductPeak();
  using generator = new Generator(0);
  using query_QD = ops.randn([rows, width], generator, 'float32');
  using train_TD = ops.randn([rows, width], generator, 'float32');
  const folder = mkdtempSync(join(tmpdir(), 'tessera-bench-'));
  try {
    if (python !== undefined) {
      writeFileSync(join(folder, 'query.f32'), query_QD.data() as Float32Array);
      writeFileSync(join(folder, 'train.f32'), train_TD.data() as Float32Array);
    }
    const theirs = python === undefined ? undefined : (d: Distance) => timePython(python, folder, sizes, d);
    const found = new Map<Distance, Found>();
    for (const distance of distances)
      found.set(distance, await compare(query_QD, train_TD, sizes, distance, rounds, theirs));
    const json = { ...sizes, rounds, peakGflops, chunkBytes: chunkBytes(width), ...Object.fromEntries(found) };
    return { card: describe(sizes, found, peakGflops), json };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(
  query_QD: Tensor,
  train_TD: Tensor,
  { rows, width, k }: Sizes,
  distance: Distance,
  rounds: number,
  theirs: ((distance: Distance) => Promise<Times & { indices: Int32Array }>) | undefined,
): Promise<Found> {
  const search = (count: number) =>
    scope(() => nearestNeighbours(ops.narrow(query_QD, 0, 0, count), train_TD, { k, distance }));
  search(Math.min(rows, 256));
  const [ours, others]: [Times[], Times[]] = [[], []];
  let agreement = 0;
  for (let round = 0; round < rounds; round++) {
    const [started, cpu] = [performance.now(), process.cpuUsage()];
    const { indices } = search(rows);
    const { user, system } = process.cpuUsage(cpu);
    ours.push({ seconds: (performance.now() - started) / 1e3, cpuSeconds: (user + system) / 1e6 });
    const other = await theirs?.(distance);
    if (other === undefined) continue;
    others.push({ seconds: other.seconds, cpuSeconds: other.cpuSeconds });
    agreement = sharedNeighbours(indices, other.indices, k);
  }
  const times = medians(ours);
  const known = { ...times, gflops: (2 * rows * rows * width) / times.seconds / 1e9 };
  if (others.length === 0) return known;
  const sklearn = medians(others);
  return { ...known, sklearn: { ...sklearn, ratio: sklearn.seconds / times.seconds, agreement } };
}

async function timePython(
  python: string,
  folder: string,
  { rows, width, k, threads }: Sizes,
  distance: Distance,
): Promise<Times & { indices: Int32Array }> {
  const script = join(packageRoot, 'bench', 'against-sklearn', 'knn.py');
  const sizes = ['--rows', rows, '--width', width, '--k', k, '--metric', distance].map(String);
  const limits = { OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) };
  const { code, output } = await runProgram(python, [script, folder, ...sizes], { ...process.env, ...limits });
  if (code !== 0) {
    throw new UsageError(`--python: ${python} did not run ${script} (code ${code}): ${output.trim()}`, {
      hint: 'Give a Python with numpy and scikit-learn.',
    });
  }
  const bytes = readFileSync(join(folder, 'neighbours.i32'));
  const indices = new Int32Array(new Uint8Array(bytes).buffer);
  return { ...(JSON.parse(output.trim().split('\n').at(-1)!) as Times), indices };
}

function sharedNeighbours(ours: Int32Array, theirs: Int32Array, k: number): number {
  let shared = 0;
  for (let start = 0; start < ours.length; start += k) {
    const known = new Set(theirs.subarray(start, start + k));
    for (let i = start; i < start + k; i++) if (known.has(ours[i]!)) shared++;
  }
  return shared / ours.length;
}

function medians(times: readonly Times[]): Times {
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  return {
    seconds: median(times.map(({ seconds }) => seconds)),
    cpuSeconds: median(times.map(({ cpuSeconds }) => cpuSeconds)),
  };
}

function describe({ rows, width, k, threads }: Sizes, found: ReadonlyMap<Distance, Found>, peak: number): string {
  const facts = [...found].flatMap(([distance, { seconds, gflops, sklearn }]): [string, string | undefined][] => [
    [
      distance,
      `${numberText(seconds, 3)} s (median), ${numberText((100 * gflops) / peak, 3)} % of the peak of matrix products`,
    ],
    [
      '',
      sklearn &&
        `scikit-learn ${numberText(sklearn.seconds, 3)} s: ${numberText(sklearn.ratio, 3)} times as fast, ` +
          `${numberText(100 * sklearn.agreement)} % of the neighbours the same`,
    ],
  ]);
  return cardText(`${k} nearest neighbours · ${rows} of ${rows} rows of ${width}, ${threads} threads`, [
    ...facts,
    ['chunk', `${byteText(chunkBytes(width))} at most, beside rows and result`],
  ]);
}
