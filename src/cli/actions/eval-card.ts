import { metricText } from '../../evals/measure/metric-text.js';
import type { Task } from '../../evals/task.js';
import { findTask } from '../../evals/tasks.js';
import { tableText } from '../../support/table-text.js';
import { cardText } from '../output.js';
import { curveTable } from './eval-curve.js';
import { type ModelResult, nameOf } from './model-result.js';

type Fact = readonly [name: string, value: string | undefined];

/** What was found, for people: a card of one model, a table of several. */
export function evaluationCard(results: readonly ModelResult[], features: string, path: string | undefined): string {
  const [first] = results as [ModelResult];
  const task = findTask(first.task)!;
  const ends = [
    ['features', features],
    ['written', path],
  ] as const;
  const card = results.length === 1 ? modelCard(task, first, ends) : comparison(task, results, ends);
  const curves = curveTable(task, results);
  return curves === undefined ? card : `${curves}\n\n${card}`;
}

function modelCard(task: Task, result: ModelResult, ends: readonly Fact[]): string {
  const { metrics, intervals, floor, floorIntervals, gainIntervals = {} } = result;
  return cardText(`${task.name} · ${nameOf(result)}`, [
    ...Object.entries(metrics).map(([name, value]): [string, string] => {
      const info = task.metrics[name]!;
      const below = floor?.[name];
      const beside = below === undefined ? '' : `; untrained ${metricText(info, below, floorIntervals?.[name])}`;
      const gain = gainIntervals[name];
      const difference = gain && below !== undefined ? `; difference ${metricText(info, value - below, gain)}` : '';
      return [info.name, `${metricText(info, value, intervals[name])}${beside}${difference}`];
    }),
    ...facts(result),
    ...ends,
  ]);
}

/** A row for each model, and for the untrained one where it was judged; `*` marks the best of a column. */
function comparison(task: Task, results: readonly ModelResult[], ends: readonly Fact[]): string {
  const names = Object.keys(task.metrics).filter((name) => results.some(({ metrics }) => name in metrics));
  const best = names.map((name) => {
    const { better } = task.metrics[name]!;
    return Math[better === 'higher' ? 'max' : 'min'](...results.flatMap(({ metrics }) => metrics[name] ?? []));
  });
  const rows = results.flatMap((result) => {
    const cells = names.map((name, i) => {
      const value = result.metrics[name];
      if (value === undefined) return '-';
      return `${metricText(task.metrics[name]!, value, result.intervals[name])}${value === best[i] ? ' *' : ''}`;
    });
    const { floor, floorIntervals } = result;
    const below = floor && names.map((name) => metricText(task.metrics[name]!, floor[name]!, floorIntervals?.[name]));
    return [[nameOf(result), ...cells], ...(below ? [['  untrained', ...below]] : [])];
  });
  const [first] = results as [ModelResult];
  const table = tableText([task.name, ...names.map((name) => task.metrics[name]!.name)], rows);
  return cardText(`${table}\n* the best`, [...facts(first), ...ends]);
}

function facts({ counts, protocol }: ModelResult): Fact[] {
  const sets = [counts.trainImages && `${counts.trainImages} train`, counts.testImages && `${counts.testImages} test`];
  const unreadable = counts.brokenImages ? `, ${counts.brokenImages} unreadable` : '';
  const diverged = counts.divergedHeads ? `${counts.divergedHeads} of ${counts.heads} heads` : undefined;
  return [
    ['images', `${sets.filter(Boolean).join(', ')}${unreadable}`],
    ['diverged', diverged],
    ['settings', settingsText(protocol)],
  ];
}

/** The plain values of the protocol; data, seed and what is long are in the JSON. */
function settingsText(protocol: Readonly<Record<string, unknown>>): string {
  const left = new Set(['train', 'test', 'seed', 'intervals']);
  return Object.entries(protocol)
    .filter(([name, value]) => !left.has(name) && typeof value !== 'object' && value !== undefined)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
