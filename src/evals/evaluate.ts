import type { z } from 'zod';
import { describeIssues } from '../config/problems.js';
import { jsonSchema } from '../config/schema-keys.js';
import type { Dataset } from '../data/dataset.js';
import { checkSize } from '../features/extract.js';
import type { ImageEncoder } from '../models/encoder.js';
import { DataError, invariant, UsageError } from '../support/errors.js';
import { suggestion } from '../support/nearest-name.js';
import { type EvaluationSettings, withContext } from './evaluation-context.js';
import { differenceInterval } from './measure/bootstrap.js';
import type { Curve, DataRole, Intervals, Judgement, Metrics, PrototypeScores, Task } from './task.js';
import { findTask, type TaskName, type TaskOf, tasks } from './tasks.js';

export interface EvaluateOptions<Name extends TaskName = TaskName> extends EvaluationSettings {
  readonly task: Name;
  /** The task's own options (`tessera eval <task> --help`); its defaults unless given. */
  readonly options?: z.input<TaskOf<Name>['options']>;
  readonly encoder: ImageEncoder;
  /** Of the head that the encoder was trained with, where there is one: for `unlabelled`. */
  readonly prototypes?: PrototypeScores | undefined;
  /** An untrained encoder, judged as well: the floor. */
  readonly floor?: ImageEncoder | undefined;
  readonly data: Readonly<Record<keyof TaskOf<Name>['data'], Dataset>>;
}

/** What an evaluation found, and everything that it depends on. Plain data. */
export interface EvaluationResult extends Judgement {
  readonly task: string;
  /** The same for the untrained encoder. */
  readonly floor?: Metrics;
  readonly floorIntervals?: Intervals;
  /** Of metrics less those of the untrained encoder, over the same draws of test images. */
  readonly gainIntervals?: Intervals;
  readonly floorCurve?: Curve;
}

/**
 * Judges a frozen encoder by one of the tasks, with 95 % intervals, and the untrained encoder beside it if given. The
 * caller keeps the encoders.
 *
 * @throws {UsageError} size or options do not fit. @throws {DataError} labels are missing or do not match.
 */
export async function evaluate<Name extends TaskName>(options: EvaluateOptions<Name>): Promise<EvaluationResult> {
  const { encoder, floor, size, seed = 0, resamples = 1000 } = options;
  const data = options.data as Readonly<Record<DataRole, Dataset>>;
  const { task, own } = checkTask(options.task, options.options ?? {}, data);
  checkSize(size, encoder.patchSize);
  const judge = (judged: ImageEncoder, prefix: string, prototypes?: PrototypeScores) =>
    withContext(options, judged, data, prefix, (context) => task.judge({ ...context, prototypes }, own));
  const found = await judge(encoder, '', options.prototypes);
  const below = floor && (await judge(floor, 'floor '));
  for (const name of Object.keys(found.metrics)) invariant(name in task.metrics, `${task.name} gives ${name}`);
  return {
    task: task.name,
    metrics: found.metrics,
    intervals: found.intervals,
    ...(below && {
      floor: below.metrics,
      floorIntervals: below.intervals,
      gainIntervals: gainIntervals(found.intervals, below.intervals),
    }),
    protocol: {
      ...Object.fromEntries(rolesOf(task).map((role) => [role, data[role].spec])),
      size,
      patchSize: encoder.patchSize,
      ...own,
      ...found.protocol,
      seed,
      intervals: { percent: 95, method: 'bootstrap over test images, percentiles', resamples },
    },
    counts: found.counts,
    ...(found.curve && { curve: found.curve }),
    ...(below?.curve && { floorCurve: below.curve }),
    ...(found.details && { details: found.details }),
  };
}

function gainIntervals(found: Intervals, floor: Intervals): Intervals {
  const gains = Object.entries(found).map(
    ([name, interval]) => [name, differenceInterval(interval, floor[name])] as const,
  );
  return Object.fromEntries(gains.flatMap(([name, gain]) => (gain ? [[name, gain]] : [])));
}

/**
 * The task of that name with its options completed, before there is an encoder.
 * @throws {UsageError} there is no such task, or its options are wrong. @throws {DataError} the data lack labels.
 */
export function checkTask(
  name: string,
  options: unknown,
  data: Readonly<Record<DataRole, Dataset>>,
): { task: Task; own: Record<string, unknown> } {
  const task = taskNamed(name);
  const own = checkOptions(task, options);
  checkLabels(task, data);
  return { task, own };
}

/** @throws {UsageError} there is no such task. */
export function taskNamed(name: string): Task {
  const task = findTask(name);
  if (task !== undefined) return task;
  const names = tasks.map((known) => known.name);
  throw new UsageError(`Expected one of the tasks ${names.join(', ')}, received ${name}${suggestion(name, names)}.`);
}

function checkOptions(task: Task, given: unknown): Record<string, unknown> {
  const parsed = task.options.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = describeIssues(parsed.error.issues, given, jsonSchema(task.options));
  throw new UsageError(
    `Options of ${task.name}: ${problems.map(({ path, text }) => `${path.join('.')}: ${text}`).join('; ')}`,
    { hint: `tessera eval ${task.name} --help shows its options.` },
  );
}

function rolesOf(task: Task): DataRole[] {
  return Object.keys(task.data) as DataRole[];
}

/** Says everything at once. */
function checkLabels(task: Task, data: Readonly<Record<DataRole, Dataset>>): void {
  const has = {
    none: () => true,
    classes: (set: Dataset) => set.classes !== undefined,
    pixels: (set: Dataset) => set.item(0).pixels !== undefined,
    any: (set: Dataset) => set.classes !== undefined || set.item(0).pixels !== undefined,
  };
  const hints = {
    none: '',
    classes: 'Give a folder with one sub-folder per class, or another labelled data set.',
    pixels: 'Give segmentation:///path?images=…&labels=…, or scenes://.',
    any: 'Give a folder with one sub-folder per class, segmentation:///path?images=…&labels=…, or scenes://.',
  };
  const kinds = { none: 'no', classes: 'class', pixels: 'pixel', any: 'class or pixel' };
  const lacking = rolesOf(task).filter((role) => !has[task.data[role]!.labels](data[role]));
  const [first] = lacking;
  if (first === undefined) return;
  const { labels } = task.data[first]!;
  const specs = [...new Set(lacking.map((role) => data[role].spec))];
  throw new DataError(
    `${task.name} needs ${kinds[labels]} labels, which ${specs.join(' and ')} ${specs.length > 1 ? 'lack' : 'lacks'}.`,
    { hint: hints[labels] },
  );
}
