import { rangeText, valueText } from '../evals/measure/metric-text.js';
import type { MetricInfo } from '../evals/task.js';
import { findTask } from '../evals/tasks.js';
import type { EventOf, RunEvent } from '../runs/run-events.js';
import { type Html, html } from './html.js';

type Result = EventOf<'evaluation'>;

/** What tells results apart: the task or its name in the recipe, the encoder, and the data. */
export function resultKey({ task, name, encoder, on }: Pick<Result, 'task' | 'name' | 'encoder' | 'on'>): string {
  return `${name ?? task} of ${encoder}${on === undefined ? '' : ` on ${on}`}`;
}

/** The last result of every evaluation, in the order of their first. */
export function lastResults(events: readonly RunEvent[]): Result[] {
  const last = new Map<string, Result>();
  for (const event of events) if (event.type === 'evaluation') last.set(resultKey(event), event);
  return [...last.values()];
}

/** Every number of every result: a table each, with the untrained encoder and other models of the same call beside it. */
export function resultTables(results: readonly Result[]): Html {
  return html`${results.map(resultTable)}`;
}

function resultTable(result: Result): Html {
  const { task, step, metrics, intervals, floor, floorIntervals, beside = [] } = result;
  const known = findTask(task);
  const columns = [
    { title: 'this run', metrics, intervals },
    ...(floor ? [{ title: 'untrained', metrics: floor, intervals: floorIntervals }] : []),
    ...beside.map(({ model, ...other }) => ({ title: model, metrics: other.metrics, intervals: other.intervals })),
  ];
  const names = [...new Set(columns.flatMap((column) => Object.keys(column.metrics)))];
  const rows = names.map((key) => {
    const info = known?.metrics[key] ?? { name: key, unit: '', better: 'higher' };
    return html`<tr><th scope="row">${info.name}</th>${columns.map((column) => numberCell(info, column.metrics[key], column.intervals?.[key]))}</tr>`;
  });
  return html`<h3>${resultKey(result)} <small>step ${step}</small></h3>
<div class="scroll" tabindex="0"><table class="results"><thead><tr><th scope="col">${known?.summary ?? task}</th>${columns.map(({ title }) => html`<th scope="col">${title}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function numberCell(
  info: MetricInfo,
  value: number | undefined,
  interval: readonly [number, number] | undefined,
): Html {
  if (value === undefined) return html`<td></td>`;
  const range = interval && html` <small>${rangeText(info, interval)}</small>`;
  return html`<td>${valueText(info, value)}${range}</td>`;
}
