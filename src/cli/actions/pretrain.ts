import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { type Dataset, evenlySpread } from '../../data/dataset.js';
import { Loader } from '../../data/loader.js';
import { PixelCache } from '../../data/pixel-cache.js';
import { metricText, valueText } from '../../evals/measure/metric-text.js';
import type { JudgedClassifier } from '../../recipes/classifier-judge.js';
import type { PreparedRun } from '../../recipes/pretrain.js';
import { refreshReport } from '../../report/refresh-report.js';
import { readEvents } from '../../runs/event-log.js';
import { evaluationsOf } from '../../runs/list-runs.js';
import { RunFolder } from '../../runs/run-folder.js';
import { byteText } from '../../support/byte-text.js';
import { durationText } from '../../support/duration-text.js';
import { numberText } from '../../support/number-text.js';
import type { CostEstimate } from '../../train/cost-estimate.js';
import { type CommandResult, cardText } from '../output.js';
import { programName } from '../program-name.js';

/** The checked options of `tessera pretrain`, `tessera refine` and `tessera finetune`. */
export type PretrainOptions = {
  readonly command: 'pretrain' | 'refine' | 'finetune';
  /** Name of a shipped recipe or path of a YAML file. */
  readonly recipe: string;
  /** `key.path=value`, not yet checked. */
  readonly overrides: readonly string[];
  readonly data: string;
  /** Of `finetune`: labelled images to judge on. */
  readonly test?: string | undefined;
  /** Of `refine`: labelled images to follow features on. */
  readonly watch?: string | undefined;
  readonly out: string;
  readonly from: string | undefined;
  /** Of `finetune`: which encoder of a run it starts from. */
  readonly weights?: 'student' | 'teacher' | undefined;
  /** `cpu`, `cuda`, `cuda:<number>` or `mps`. */
  readonly device: string | undefined;
  readonly threads: number | undefined;
  readonly workers: number | undefined;
  readonly seed: number | undefined;
  readonly resume: boolean;
  /** Counted from the beginning of the run. */
  readonly maxSteps: number | undefined;
  readonly dryRun: boolean;
};

/** `tessera pretrain`, `tessera refine` and `tessera finetune`. */
export async function pretrain(options: PretrainOptions): Promise<CommandResult> {
  const { prepareRun, pretrain: run } = await import('../../recipes/pretrain.js');
  const overrides = [
    ...options.overrides,
    ...(options.seed === undefined ? [] : [`seed=${options.seed}`]),
    ...(options.workers === undefined ? [] : [`data.workers=${options.workers}`]),
  ];
  if (options.dryRun) return await dryRun(await prepareRun({ ...options, overrides }), options.threads);
  // A run that exists is refused before the data is opened.
  if (!options.resume) RunFolder.refuseExisting(options.out);
  const outcome = await run({ ...options, overrides });
  const stopped = outcome.stoppedBy !== undefined;
  const report = refreshReport(RunFolder.open(outcome.run), programName());
  const { judged, ...trained } = outcome;
  const best = judged && bestLook(outcome.run);
  return {
    card: cardText(`${basename(outcome.run)} · ${stopped ? `stopped by ${outcome.stoppedBy}` : 'trained'}`, [
      ['steps', String(outcome.steps)],
      ['loss', `${numberText(outcome.lossFirst)} to ${numberText(outcome.lossLast)}`],
      ['speed', `${numberText(outcome.imagesPerSecond, 3)} images/s`],
      ...(judged ? judgedFacts(judged, best) : []),
      ['checkpoint', outcome.checkpoint],
      ['report', report],
      ['next', stopped ? 'the same command with --resume' : `${programName()} runs show ${options.out}`],
    ]),
    json: { ...trained, report, ...judged, ...(best && { best }) },
    ...(stopped ? { exitCode: 130 as const } : {}),
  };
}

/** The judgement with the most images right, as MIM-Refiner reports it: the test images choose. */
function bestLook(path: string): { step: number; top1: number } | undefined {
  const looks = evaluationsOf(readEvents(RunFolder.open(path).events)).filter(({ task }) => task === 'finetune');
  const tops = looks.map(({ step, metrics }) => ({ step, top1: metrics.top1! }));
  return tops.reduce<(typeof tops)[number] | undefined>(
    (best, look) => (best && best.top1 >= look.top1 ? best : look),
    undefined,
  );
}

function judgedFacts({ step, metrics, intervals, counts }: JudgedClassifier, best?: { step: number; top1: number }) {
  const percent = { unit: '%' } as const;
  const text = (name: 'top1' | 'meanPerClass') => metricText(percent, metrics[name], intervals[name]);
  const unreadable = counts.brokenImages > 0 ? `, ${counts.brokenImages} unreadable` : '';
  return [
    ['top-1', `${text('top1')} of ${counts.testImages} test images${unreadable}, at step ${step}`],
    ['mean per class', text('meanPerClass')],
    ['best top-1', best && `${valueText(percent, best.top1)} at step ${best.step}, chosen on the test images`],
  ] as const;
}

async function dryRun(
  { config, plan, yaml, dataset, estimate }: PreparedRun,
  threads?: number,
): Promise<CommandResult> {
  const { steps, batchSize } = plan;
  const epochs = (steps * batchSize) / dataset.size;
  const cache = config.data.cache === 'memory' ? await sampleCache(dataset) : undefined;
  return {
    card: `${yaml}\n${cardText('dry run: nothing was written', [
      ['images', `${dataset.size} in ${dataset.spec}`],
      ['steps', `${steps} of ${batchSize} images: ${numberText(epochs, 3)} epochs`],
      [
        'cache',
        cache && `about ${byteText(cache.expectedBytes)} of decoded images, of at most ${byteText(cache.limit)}`,
      ],
      ...(estimate ? costFacts(estimate, await measuredPeak(threads)) : []),
    ])}`,
    json: {
      config,
      images: dataset.size,
      epochs,
      ...(cache && { cacheBytes: cache.expectedBytes }),
      ...(estimate && { estimate }),
    },
  };
}

/** A few decoded images, to tell what all of them take. */
async function sampleCache(dataset: Dataset): Promise<PixelCache> {
  const cache = new PixelCache(dataset.size);
  const order = evenlySpread(dataset, SAMPLED);
  const views = [{ kind: 'resize', size: 1 }] as const;
  const loader = new Loader({ dataset, views, batchSize: SAMPLED, order, seed: 0, workers: 1, cache });
  await loader.next();
  await loader.close();
  return cache;
}

const SAMPLED = 64;

/** Share of the peak of matrix products that training is taken to reach. */
const REACHED = 0.5;

function costFacts(estimate: CostEstimate, peakGflops: number): [string, string][] {
  const parts = Object.entries(estimate.parameters).map(([name, count]) => `${name} ${countText(count)}`);
  const stages = estimate.stages.map(
    ({ name, flopsPerImage }) => `${name} ${numberText(flopsPerImage / 1e9, 3)} GFLOP an image`,
  );
  const seconds = estimate.flops / (REACHED * peakGflops * 1e9);
  return [
    ['parameters', parts.join(', ')],
    ['work', stages.join(', ')],
    ['memory', `about ${byteText(estimate.memoryBytes)}`],
    [
      'time',
      `about ${durationText(seconds)} on this processor, at half of its ${numberText(peakGflops, 3)} GFLOP/s in large matrix products`,
    ],
  ];
}

function countText(count: number): string {
  return count >= 1e9 ? `${numberText(count / 1e9, 3)} billion` : `${numberText(count / 1e6, 3)} million`;
}

async function measuredPeak(threads: number = availableParallelism()): Promise<number> {
  const [{ engine }, { matrixProductPeak }] = await Promise.all([
    import('../../engine/addon.js'),
    import('./matrix-product-peak.js'),
  ]);
  engine().setThreads(threads);
  return matrixProductPeak();
}
