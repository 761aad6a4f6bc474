import { relative } from 'node:path';
import { openDataset } from '../../data/spec.js';
import { colourBaseline } from '../../evals/baseline/colour-baseline.js';
import { type EvaluationResult, evaluate } from '../../evals/evaluate.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { loadEncoder } from '../../models/load-encoder.js';
import { pretrain } from '../../recipes/pretrain.js';
import type { Measured, ReportEvaluation } from '../../report/report-parts.js';
import { resultKey } from '../../report/result-table.js';
import { saveRunPicture } from '../../report/run-pictures.js';
import { verdictOf } from '../../report/verdict.js';
import { writeReport } from '../../report/write-report.js';
import { EventLog } from '../../runs/event-log.js';
import { RunFolder } from '../../runs/run-folder.js';
import { Progress } from '../../support/progress.js';
import type { TrainOutcome } from '../../train/train-loop.js';
import { drawMaskSheet } from '../../visualise/mask-sheet.js';
import { drawPcaSheet } from '../../visualise/pca-sheet.js';
import { sampleImages } from '../../visualise/sample-images.js';
import { type CommandResult, cardText } from '../output.js';
import { programName } from '../program-name.js';

/** The checked options of `tessera quickstart`. */
export type QuickstartOptions = {
  /** Run folder; `undefined`: runs/quickstart or the next free name. */
  readonly out: string | undefined;
  readonly seed: number | undefined;
  readonly threads: number | undefined;
  readonly steps: number | undefined;
};

const RECIPE = 'quickstart';
const SIZE = 48;
const scenes = (split: string, count: number, size = SIZE) => `scenes://?split=${split}&count=${count}&size=${size}`;
const trainingScenes = scenes('train', 4096);

/** An evaluation of the trained encoder, with the untrained one and plain colours beside it. */
interface Comparison {
  readonly task: keyof typeof names;
  readonly trained: EvaluationResult;
  readonly colours: EvaluationResult;
}

/** `tessera quickstart`: train, judge, draw, report. */
export async function quickstart(options: QuickstartOptions): Promise<CommandResult> {
  const out = options.out ?? RunFolder.firstFree('runs/quickstart');
  RunFolder.refuseExisting(out);
  const overrides = [
    ...(options.seed === undefined ? [] : [`seed=${options.seed}`]),
    ...(options.steps === undefined
      ? []
      : [`optim.steps=${options.steps}`, `optim.warmupSteps=${Math.floor(options.steps / 10)}`]),
  ];
  const outcome = await pretrain({ recipe: RECIPE, overrides, data: trainingScenes, out, threads: options.threads });
  const run = RunFolder.open(out);
  if (outcome.stoppedBy !== undefined) return stopped(out, outcome);

  const encoder = await loadEncoder(out, { weights: 'student' });
  const untrained = await loadEncoder(`random:${out}`);
  try {
    const comparisons = await judge(run, outcome.steps, encoder, untrained);
    await draw(run, encoder, untrained);
    const report = writeReport(run, reportParts(out, options, outcome, comparisons));
    return summary(out, outcome, comparisons, report);
  } finally {
    encoder.dispose();
    untrained.dispose();
  }
}

async function judge(run: RunFolder, step: number, encoder: ImageEncoder, floor: ImageEncoder): Promise<Comparison[]> {
  const log = new EventLog(run.events);
  const comparisons: Comparison[] = [];
  try {
    for (const task of ['segment-knn', 'knn'] as const) {
      const counts = task === 'knn' ? [1024, 512] : [384, 256];
      const [train, test] = [
        await openDataset(scenes('train', counts[0]!)),
        await openDataset(scenes('val', counts[1]!)),
      ];
      const progress = new Progress(`judge ${task}`, 3 * (train.size + test.size), { unit: 'images' });
      let before = 0;
      let current = '';
      let last = 0;
      const onProgress = (stage: string, done: number) => {
        if (stage !== current) before += last;
        current = stage;
        last = done;
        progress.update(before + done, stage);
      };
      const shared = { task, data: { train, test }, size: SIZE, onProgress };
      const options = task === 'knn' ? { view: 'resize' as const } : {};
      const trained = await evaluate({ ...shared, encoder, floor, options });
      before += last;
      [current, last] = ['', 0];
      const colours = await evaluate({
        ...shared,
        encoder: colourBaseline(encoder.patchSize),
        options: task === 'knn' ? { ...options, pooling: 'global' as const } : {},
      });
      progress.finish();
      log.append({
        type: 'evaluation',
        step,
        task,
        encoder: 'student',
        on: test.spec,
        metrics: trained.metrics,
        floor: trained.floor!,
      });
      comparisons.push({ task, trained, colours });
    }
  } finally {
    log.close();
  }
  return comparisons;
}

async function draw(run: RunFolder, encoder: ImageEncoder, untrained: ImageEncoder): Promise<void> {
  const samples = await openDataset(scenes('val', 64));
  const images = await sampleImages(samples, { kind: 'resize', size: SIZE }, { count: 8 });
  const large = await sampleImages(
    await openDataset(scenes('val', 64, 2 * SIZE)),
    { kind: 'resize', size: 2 * SIZE },
    { count: 8 },
  );
  const side = SIZE / encoder.patchSize;
  const mask = { kind: 'inverse-block', rows: side, columns: side, roll: true } as const;
  saveRunPicture(run, 'pca', {
    title: 'What the encoder sees',
    caption:
      'Patch features as colours: equal colours mean similar features. Above, components of each picture alone; below, of all pictures together. The untrained encoder mostly shows brightness and position; the trained one tells materials and things apart.',
    png: await drawPcaSheet(large, [
      { name: 'Trained', encoder },
      { name: 'Untrained', encoder: untrained },
    ]),
  });
  saveRunPicture(run, 'masks', {
    title: 'What the student is shown',
    caption: 'The orange patches are hidden from the student, which predicts their clusters from the visible ones.',
    png: await drawMaskSheet(images, { mask, maskRatio: 0.65, predictionSubsampling: 1, draws: 2, seed: 0 }),
  });
}

const names = {
  'segment-knn': { name: 'Segmentation, nearest patches', metric: 'mean IoU', key: 'miou' },
  knn: { name: 'Classification, nearest images', metric: 'top-1 accuracy', key: 'top1' },
} as const;

function compared({ task, trained, colours }: Comparison): ReportEvaluation {
  const { name, metric, key } = names[task];
  const measured = (
    values: Readonly<Record<string, number>>,
    intervals: EvaluationResult['intervals'] | undefined,
  ): Measured => {
    const interval = intervals?.[key];
    return { value: values[key]!, ...(interval ? { interval: [interval[0], interval[1]] as const } : {}) };
  };
  return {
    name,
    metric,
    of: resultKey({ task, encoder: 'student', on: String(trained.protocol.test) }),
    on: `${trained.counts.testImages} held-out scenes, beside ${trained.counts.trainImages} others`,
    trained: measured(trained.metrics, trained.intervals),
    untrained: measured(trained.floor!, trained.floorIntervals),
    colourAndPosition: measured(colours.metrics, colours.intervals),
  };
}

function reportParts(
  out: string,
  options: QuickstartOptions,
  outcome: TrainOutcome,
  comparisons: readonly Comparison[],
) {
  const evaluations = comparisons.map(compared);
  const command = [
    `${programName()} quickstart`,
    ...(['seed', 'threads', 'steps'] as const).flatMap((key) =>
      options[key] === undefined ? [] : [`--${key} ${options[key]}`],
    ),
  ].join(' ');
  return {
    title: 'Tessera quickstart',
    summary: `A small vision transformer, trained with CAPI for ${outcome.steps} steps on 4,096 built-in scenes, without labels.`,
    verdict: verdictOf(evaluations),
    evaluations,
    nextCommands: nextCommands(out),
    command,
    facts: [['Training data', trainingScenes] as const],
  };
}

const nextCommands = (out: string) => [
  {
    command: `${programName()} pretrain capi-tiny-cpu --data /my/photos --out runs/first`,
    purpose: 'Train on your own photos',
  },
  {
    command: `${programName()} visualise pca --model ${out} --data /my/photos --out pca.png`,
    purpose: 'Look at your photos through this encoder',
  },
];

function summary(
  out: string,
  outcome: TrainOutcome,
  comparisons: readonly Comparison[],
  report: string,
): CommandResult {
  const evaluations = comparisons.map(compared);
  const line = ({ trained, untrained, colourAndPosition, metric }: ReportEvaluation) =>
    `${trained.value.toFixed(1)} % ${metric} (untrained ${untrained!.value.toFixed(1)}, colour and position ${colourAndPosition!.value.toFixed(1)})`;
  const { headline, tone } = verdictOf(evaluations);
  const results = comparisons.map(({ trained, colours }) => ({
    ...trained,
    colours: colours.metrics,
    coloursIntervals: colours.intervals,
  }));
  return {
    card: cardText(headline, [
      ['trained', `${outcome.steps} steps, ${outcome.imagesPerSecond.toFixed(0)} images/s`],
      ...evaluations.map((evaluation) => [evaluation.name.split(',')[0]!.toLowerCase(), line(evaluation)] as const),
      ['report', relative('.', report)],
      ['next', nextCommands(out)[0]!.command],
    ]),
    json: { ...outcome, run: out, report, verdict: tone, evaluations: results },
  };
}

function stopped(out: string, outcome: TrainOutcome): CommandResult {
  const next = `${programName()} pretrain ${RECIPE} --data '${trainingScenes}' --out ${out} --resume`;
  return {
    card: cardText(`stopped by ${outcome.stoppedBy}`, [
      ['steps', String(outcome.steps)],
      ['next', next],
    ]),
    json: { ...outcome, run: out },
    exitCode: 130,
  };
}
