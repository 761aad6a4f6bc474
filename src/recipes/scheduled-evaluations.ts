import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/spec.js';
import { checkTask, type EvaluationResult, evaluate, taskNamed } from '../evals/evaluate.js';
import { valueText } from '../evals/measure/metric-text.js';
import type { DataRole, Task } from '../evals/task.js';
import type { TaskName } from '../evals/tasks.js';
import type { EventOf } from '../runs/run-events.js';
import { ConfigError } from '../support/errors.js';
import type { EvaluationFound, ScheduledEvaluation } from '../train/evaluation-schedule.js';
import type { EvaluationEntry, EvaluationsConfig } from '../train/evaluations-config.js';
import type { Health } from '../train/method.js';
import type { RecipeCore } from './methods.js';

/** An evaluation of a recipe, checked, with its data opened. */
export interface PlannedEvaluation {
  readonly name: string;
  readonly task: Task;
  readonly options: Readonly<Record<string, unknown>>;
  readonly data: Readonly<Record<DataRole, Dataset>>;
  /** Steps between two of them; undefined: after the last step only. */
  readonly every: number | undefined;
}

/** What an evaluation depends on beside its recipe. */
export interface ScheduleFacts {
  /** Of the run. */
  readonly steps: number;
  readonly device: string;
  readonly workers: number;
  /** Whether the run began with random weights: what it was judged at then is the floor. */
  readonly untrained: boolean;
  /** Evaluations that were logged before. */
  readonly earlier: readonly EventOf<'evaluation'>[];
}

/**
 * The evaluations that a recipe asks for. All that can be wrong with them is said before a run begins.
 * @throws {ConfigError} names that are there twice, data that is missing. @throws as `checkTask` and `openDataset`.
 */
export async function openEvaluations({ evaluations }: RecipeCore): Promise<PlannedEvaluation[]> {
  if (evaluations === undefined) return [];
  const { fast, slow, final } = evaluations;
  const groups = [
    { group: 'fast', every: fast.every, tasks: fast.tasks },
    { group: 'slow', every: slow.every, tasks: slow.tasks },
    { group: 'final', every: undefined, tasks: final.tasks },
  ];
  const opened = new Map<string, Dataset>();
  const planned: PlannedEvaluation[] = [];
  for (const { group, every, tasks } of groups) {
    for (const entry of tasks) {
      const own = typeof entry === 'string' ? { task: entry } : entry;
      const task = taskNamed(own.task);
      const name = own.name ?? own.task;
      if (planned.some((other) => other.name === name && (other.every === undefined) === (every === undefined))) {
        throw new ConfigError(`evaluations.${group}: ${name} is there twice.`, {
          hint: 'Give one of them another name: {task: knn, name: knn-small, …}.',
        });
      }
      const data = await dataOf(task, own, evaluations, opened, group);
      checkTask(own.task, own.options ?? {}, data);
      planned.push({ name, task, options: own.options ?? {}, data, every });
    }
  }
  return planned;
}

async function dataOf(
  task: Task,
  entry: Exclude<EvaluationEntry, string>,
  { train, test }: EvaluationsConfig,
  opened: Map<string, Dataset>,
  group: string,
): Promise<Record<DataRole, Dataset>> {
  const data: Partial<Record<DataRole, Dataset>> = {};
  for (const role of Object.keys(task.data) as DataRole[]) {
    const spec = entry[role] ?? { train, test }[role];
    if (spec === undefined) {
      throw new ConfigError(`evaluations.${group}: ${task.name} needs ${task.data[role]!.help}.`, {
        hint: `Set evaluations.${role}, a folder or a data URL, for all tasks or ${role} of this one.`,
      });
    }
    const dataset = opened.get(spec) ?? (await openDataset(spec));
    opened.set(spec, dataset);
    data[role] = dataset;
  }
  return data as Record<DataRole, Dataset>;
}

/** An evaluation as the loop wants it. */
export function scheduledEvaluation(
  { evaluations, data, seed }: RecipeCore,
  { name, task, options, data: sets, every }: PlannedEvaluation,
  { steps, device, workers, untrained, earlier }: ScheduleFacts,
): ScheduledEvaluation {
  const { weights, atStart, size = data.imageSize } = evaluations!;
  let start = earlier.find((event) => event.name === name && event.step === 0);
  const isDue = (step: number) => {
    if (step === 0) return atStart && every !== undefined;
    return every === undefined ? step === steps : step % every === 0;
  };
  const judge: ScheduledEvaluation['judge'] = async (encoders, step, onProgress) => {
    const result = await evaluate({
      task: task.name as TaskName,
      options,
      encoder: encoders[weights],
      data: sets,
      ...{ size, seed, device, workers },
      onProgress: (stage, done, total, unit) => onProgress(`${stage} ${done} of ${total} ${unit}`),
    });
    const { metrics, intervals } = result;
    const event = { task: task.name, name, on: sets.test.spec, encoder: weights, metrics, intervals };
    const found: EvaluationFound = {
      event: {
        ...event,
        ...(start && untrained && { floor: start.metrics, floorIntervals: start.intervals }),
      },
      health: healthOf(task, name, result, start),
    };
    if (step === 0) start = { type: 'evaluation', step: 0, time: '', ...event };
    return found;
  };
  return { name, isDue, judge };
}

/** By the first metric: whether it has fallen below where it was at the start, as far as intervals tell. */
function healthOf(
  task: Task,
  name: string,
  { metrics, intervals }: EvaluationResult,
  start: EventOf<'evaluation'> | undefined,
): Health {
  const [metric] = Object.keys(metrics) as [string];
  const info = task.metrics[metric]!;
  const now = `${name}: ${info.name} ${valueText(info, metrics[metric]!)}`;
  const before = start?.metrics[metric];
  if (before === undefined) return { healthy: true, text: now };
  const sign = info.better === 'higher' ? 1 : -1;
  const [best, worst] = [intervals[metric]?.[sign > 0 ? 1 : 0] ?? metrics[metric]!, before];
  const healthy = sign * best >= sign * worst;
  const text = `${now}, ${valueText(info, before)} at the start`;
  return { healthy, text: healthy ? text : `${text}: training makes it worse` };
}
