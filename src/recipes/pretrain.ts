import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { configYaml, readConfigLeaves } from '../config/config-yaml.js';
import { findRecipe } from '../config/find-recipe.js';
import { readRecipe, recipeInCode } from '../config/recipe.js';
import { resolveConfig } from '../config/resolve-config.js';
import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/spec.js';
import { engine } from '../engine/addon.js';
import { requireInstallation } from '../engine/installation.js';
import type { FinetuneConfig } from '../methods/finetune/finetune-config.js';
import type { KnownEncoder } from '../models/encoder-kinds.js';
import { isUntrained, untrainedEncoder } from '../models/load-encoder.js';
import { loadWeights, readEncoderOptions } from '../models/load-weights.js';
import { EventLog, liveEvents, readEvents } from '../runs/event-log.js';
import { RunFolder } from '../runs/run-folder.js';
import { TensorBoardWriter } from '../runs/tensorboard-writer.js';
import { tidyFolders, writeFileAtomic } from '../support/atomic-file.js';
import { ConfigError, DataError, UsageError } from '../support/errors.js';
import { scope } from '../tensor/tensor.js';
import { restoreCheckpoint } from '../train/checkpoint.js';
import type { CostEstimate } from '../train/cost-estimate.js';
import type { Method } from '../train/method.js';
import { type TrainOptions, type TrainOutcome, train } from '../train/train-loop.js';
import { ClassifierJudge, type JudgedClassifier, type Judging } from './classifier-judge.js';
import type { Recipe } from './define-recipe.js';
import { requireClasses, watchFeatures } from './feature-watch.js';
import { fitFinetuning } from './fit-finetuning.js';
import {
  type MethodEntry,
  type MethodOptions,
  methodOf,
  type PretrainingEntry,
  type RecipeCore,
  type RefiningEntry,
  type RunPlan,
} from './methods.js';
import {
  openEvaluations,
  type PlannedEvaluation,
  type ScheduleFacts,
  scheduledEvaluation,
} from './scheduled-evaluations.js';

export interface PretrainOptions {
  /** What is asked for: `pretrain` unless given. */
  readonly command?: MethodEntry['command'] | undefined;
  /** Name of a shipped recipe, path of a YAML file, or a recipe in code. */
  readonly recipe: string | Recipe;
  /** `key.path=value`, checked against the recipe's schema. */
  readonly overrides?: readonly string[];
  /** Images: a folder or a data URL; several joined with commas. */
  readonly data: string;
  /** Labelled images that a classifier is judged on, for `finetune`; none unless given. */
  readonly test?: string | undefined;
  /** Folder of the run; it must not exist unless resuming. */
  readonly out: string;
  /** Weights to start from: a run, a checkpoint or a file; for `finetune` also `random:` and one of these or a preset. */
  readonly from?: string | undefined;
  /** Which encoder of a run in `from` is fine-tuned: the average (default) or the student. */
  readonly weights?: 'student' | 'teacher' | undefined;
  /** Labelled images on which features are followed: those that are trained on, where they have labels, unless given. */
  readonly watch?: string | undefined;
  /** `cpu` (default) or `cuda`. */
  readonly device?: string | undefined;
  /** Threads of the engine; all cores by default. */
  readonly threads?: number | undefined;
  /** Go on with the run in `out`. */
  readonly resume?: boolean;
  /** Stop after so many steps, counted from the beginning of the run. */
  readonly maxSteps?: number | undefined;
}

/** A recipe checked and completed, with the data it will train on. Nothing has been written yet. */
export interface PreparedRun {
  readonly config: RecipeCore;
  readonly plan: RunPlan;
  /** The resolved configuration as YAML, with the origin of each value. */
  readonly yaml: string;
  readonly dataset: Dataset;
  /** Labelled images on which features are followed. */
  readonly watched?: Dataset | undefined;
  /** What will be judged on the way. */
  readonly evaluations: readonly PlannedEvaluation[];
  /** What the run will cost, where the method says. */
  readonly estimate: CostEstimate | undefined;
  readonly create: (options: MethodOptions) => Method<unknown>;
  /** How a classifier is judged, where one is trained and there are test images. */
  readonly judging?: Judging | undefined;
  /** Class names by id, where a classifier is trained. */
  readonly classes?: readonly string[] | undefined;
}

/**
 * Checks recipe, data and, where one is refined, the encoder.
 * @throws {ConfigError | UsageError | DataError} all problems of the recipe at once.
 */
export async function prepareRun(
  options: Pick<
    PretrainOptions,
    'command' | 'recipe' | 'overrides' | 'data' | 'test' | 'watch' | 'from' | 'out' | 'resume'
  >,
): Promise<PreparedRun> {
  const recipe =
    typeof options.recipe === 'string'
      ? readRecipe(findRecipe(options.recipe))
      : recipeInCode(options.recipe, 'the recipe in code');
  const entry = methodOf((recipe.values as Record<string, unknown>).method);
  refuseOtherCommand(entry, options.command ?? 'pretrain', recipe.file);
  const { config, origins } = resolveConfig(entry.schema, recipe, options.overrides ?? []);
  const yaml = configYaml(config, origins);
  if (entry.command === 'finetune') {
    const encoder = await startingEncoder(options);
    const dataset = await openNoted(options.data);
    const fitted = fitFinetuning(entry, config as FinetuneConfig, encoder, {
      train: dataset,
      test: options.test === undefined ? undefined : await openNoted(options.test),
    });
    return { config, yaml, dataset, estimate: undefined, evaluations: [], ...fitted };
  }
  const fitted =
    entry.command === 'refine' ? fitRefining(entry, config, await startingEncoder(options)) : fit(entry, config);
  const dataset = await openNoted(options.data);
  const watched = options.watch === undefined ? dataset : await openNoted(options.watch);
  if (options.watch !== undefined) requireClasses(watched);
  const evaluations = await openEvaluations(config);
  return { config, plan: entry.plan(config, dataset.size), yaml, dataset, watched, evaluations, ...fitted };
}

async function openNoted(spec: string): Promise<Dataset> {
  const dataset = await openDataset(spec);
  for (const note of dataset.notes) process.stderr.write(`${note}\n`);
  return dataset;
}

function fit(entry: PretrainingEntry, config: RecipeCore): Pick<PreparedRun, 'create' | 'estimate'> {
  entry.check(config);
  return { create: (options) => entry.create(config, options), estimate: undefined };
}

function fitRefining(
  entry: RefiningEntry,
  config: RecipeCore,
  encoder: KnownEncoder,
): Pick<PreparedRun, 'create' | 'estimate'> {
  entry.check(config, encoder);
  return {
    create: (options) => entry.create(config, { ...options, encoder }),
    estimate: entry.estimate(config, encoder),
  };
}

/** How the encoder that is refined is built: the run's own where it goes on, otherwise that of the given weights. */
async function startingEncoder({
  command,
  from,
  out,
  resume,
}: Pick<PretrainOptions, 'command' | 'from' | 'out' | 'resume'>): Promise<KnownEncoder> {
  const latest = resume && RunFolder.isRun(out) ? RunFolder.open(out).latestCheckpoint()?.path : undefined;
  const source = latest ?? from;
  if (source !== undefined)
    return command === 'finetune' && isUntrained(source) ? await untrainedEncoder(source) : readEncoderOptions(source);
  const option = command === 'finetune' ? '--model' : '--from';
  throw new UsageError(
    resume
      ? `The run ${out} has no checkpoint yet: expected ${option} with the encoder that it began with.`
      : `Expected ${option} with the encoder to ${command}, received none.`,
    { hint: `Give a run folder, a checkpoint or a weights file, for example ${option} runs/first.` },
  );
}

const usages: Readonly<Record<MethodEntry['command'], string>> = {
  pretrain: 'tessera pretrain RECIPE --data SPEC --out RUN',
  refine: 'tessera refine RECIPE --from CHECKPOINT --data SPEC --out RUN',
  finetune: 'tessera finetune RECIPE --model MODEL --train SPEC --test SPEC --out RUN',
};

function refuseOtherCommand(entry: MethodEntry, command: MethodEntry['command'], file: string): void {
  if (entry.command === command) return;
  throw new UsageError(`Expected a recipe for tessera ${command}, ${file} is one for tessera ${entry.command}.`, {
    hint: usages[entry.command],
  });
}

/** How a run went; of a classifier also how it was judged last, where it was. */
export type RunOutcome = TrainOutcome & { run: string; judged?: JudgedClassifier };

/** Trains as a recipe says and returns how it went; the run folder then holds everything. */
export async function pretrain(options: PretrainOptions): Promise<RunOutcome> {
  const prepared = await prepareRun(options);
  const { config, plan, yaml, dataset, create, judging, classes, watched, evaluations } = prepared;
  const threads = options.threads ?? availableParallelism();
  engine().setThreads(threads);
  const device = options.device ?? 'cpu';
  const run = RunFolder.create(options.out, { resume: options.resume ?? false });
  if (options.resume) refuseChanges(run, yaml);
  else writeFileAtomic(run.config, yaml);
  if (classes) writeFileAtomic(run.classes, `${JSON.stringify(classes, undefined, 2)}\n`);
  await tidyFolders(run.checkpoints);

  const machine = { engine: requireInstallation().libtorch.version, threads, device };
  const log = new EventLog(run.events);
  const method = create({ device });
  const sinks: TensorBoardWriter[] = [];
  try {
    const firstStep = options.resume ? await resumeFrom(run, method, dataset, machine, log) : 0;
    if (firstStep === 0 && options.from !== undefined) await startFrom(options, method);
    const { steps } = plan;
    const facts = {
      ...machine,
      data: dataset.spec,
      images: dataset.size,
      ...(options.from ? { from: options.from } : {}),
    };
    const checkpoint = firstStep > 0 ? { checkpoint: `step-${firstStep}` } : {};
    if (options.resume)
      log.append({ type: 'resume', step: firstStep, method: method.name, steps, facts, ...checkpoint });
    else log.append({ type: 'start', step: 0, method: method.name, steps, facts });
    sinks.push(new TensorBoardWriter(run.tensorboard, firstStep > 0 ? { resumedAt: firstStep } : {}));
    const judge = judging && new ClassifierJudge(judging, method, log);
    const workers = config.data.workers ?? Math.max(1, Math.min(8, availableParallelism() - 1));
    const watch =
      watched?.classes !== undefined &&
      config.watch !== undefined &&
      config.watch.every > 0 &&
      watchFeatures({
        ...{ method, dataset: watched, ...config.watch, size: config.data.imageSize, device, workers },
        record: (step, values) => {
          log.append({ type: 'metrics', step, values });
          for (const sink of sinks) sink.write(step, values);
        },
      });
    const outcome = await train({
      ...{ method, dataset, run, log, sinks, steps, firstStep, workers, machine },
      seed: config.seed,
      cache: config.data.cache,
      lastStep: Math.min(steps, options.maxSteps ?? steps),
      batchSize: plan.batchSize,
      accumulate: plan.accumulate,
      train: config.train,
      judge: judge ?? (watch || undefined),
      ...evaluationsOf(config, evaluations, {
        ...{ run, steps, firstStep, device, workers },
        untrained: options.from === undefined,
      }),
    });
    // A finished run that is resumed takes no step and is judged all the same.
    if (judge && outcome.steps === steps && judge.latest === undefined) await judge.look(steps);
    return { run: run.path, ...outcome, ...(judge?.latest && { judged: judge.latest }) };
  } finally {
    for (const sink of sinks) sink.close();
    log.close();
    method.dispose();
  }
}

/** The evaluations as the loop wants them, and those that were done at this step before. */
function evaluationsOf(
  config: RecipeCore,
  planned: readonly PlannedEvaluation[],
  { run, firstStep, ...rest }: Omit<ScheduleFacts, 'earlier'> & { run: RunFolder; firstStep: number },
): Pick<TrainOptions, 'evaluations' | 'evaluated'> {
  if (planned.length === 0) return {};
  const earlier = liveEvents(readEvents(run.events)).filter((event) => event.type === 'evaluation');
  const evaluated = earlier.flatMap(({ step, name }) => (step === firstStep && name !== undefined ? [name] : []));
  return {
    evaluations: planned.map((one) => scheduledEvaluation(config, one, { ...rest, earlier })),
    evaluated: new Set(evaluated),
  };
}

async function startFrom(
  { command, from, weights: which = 'teacher' }: PretrainOptions,
  method: Method<unknown>,
): Promise<void> {
  if (command === 'finetune' && isUntrained(from!)) return;
  using weights = await loadWeights(from!, command === 'finetune' ? [which] : scope(() => [...method.state().keys()]));
  method.warmStart(weights.parts);
}

/** Restores the last checkpoint; 0 where the run has none yet. */
async function resumeFrom(
  run: RunFolder,
  method: Method<unknown>,
  dataset: Dataset,
  machine: Readonly<Record<string, string | number>>,
  log: EventLog,
): Promise<number> {
  const latest = run.latestCheckpoint();
  if (latest === undefined) return 0;
  const manifest = await restoreCheckpoint(latest.path, method);
  if (manifest.data !== dataset.fingerprint) {
    throw new DataError(
      `The run ${run.path} was trained on other images than ${dataset.spec} (${dataset.size} images).`,
      {
        hint: 'Resume with the same --data, or start a new run from these weights with --from.',
      },
    );
  }
  const changed = Object.keys(machine).filter((key) => machine[key] !== manifest.machine[key]);
  if (changed.length > 0) {
    const text = changed.map((key) => `${key} ${manifest.machine[key]} then, ${machine[key]} now`).join('; ');
    const message = `Losses will not be bit-identical to those of an uninterrupted run: ${text}.`;
    log.append({ type: 'warning', step: manifest.step, message });
    process.stderr.write(`${message}\n`);
  }
  return manifest.step;
}

/** Options of the loop, the number of workers, where images are kept and what is judged do not change losses, so they may change. */
const mayChange = /^(train\.|watch\.|evaluations\.|data\.(workers|cache|testView)$|judgeEvery$)/;

function refuseChanges(run: RunFolder, yaml: string): void {
  const leaves = (text: string) =>
    new Map(readConfigLeaves(text).map(({ key, value }) => [key, JSON.stringify(value)]));
  const [before, now] = [leaves(readFileSync(run.config, 'utf8')), leaves(yaml)];
  const keys = [...new Set([...before.keys(), ...now.keys()])].filter((key) => !mayChange.test(key));
  const changed = keys.filter((key) => before.get(key) !== now.get(key));
  if (changed.length === 0) return;
  const lines = changed.map(
    (key) => `${key}: the run has ${before.get(key) ?? 'nothing'}, now ${now.get(key) ?? 'nothing'}`,
  );
  throw new ConfigError(`The run ${run.path} was started with another configuration:\n  ${lines.join('\n  ')}`, {
    hint: 'Resume with the recipe and overrides of the run, or start a new run with --from.',
  });
}
