import { rangeText } from '../evals/measure/metric-text.js';
import { coordinate } from '../visualise/svg-text.js';
import { type Html, html, trusted } from './html.js';
import type { Measured, ReportEvaluation } from './report-parts.js';

/** What an evaluation is compared with, in the order of the columns, and the class that colours it. */
const columns = [
  { key: 'trained', title: 'Trained' },
  { key: 'untrained', title: 'Untrained' },
  { key: 'colourAndPosition', title: 'Colour and position' },
] as const;

type Column = (typeof columns)[number]['key'];

/** Evaluations as a table: what was measured, a diagram of values with 95 % intervals, and the numbers. */
export function evaluationTable(evaluations: readonly ReportEvaluation[]): Html {
  const present = columns.filter(({ key }) => evaluations.some((evaluation) => evaluation[key] !== undefined));
  return html`<table class="evaluations">
<thead><tr><th scope="col">Evaluation</th><th scope="col" class="plot-head">0 to 100 %</th>${present.map(
    ({ key, title }) => html`<th scope="col" class="number"><span class="mark ${key}"></span>${title}</th>`,
  )}</tr></thead>
<tbody>${evaluations.map(
    (evaluation) => html`<tr>
<th scope="row">${evaluation.name}<small>${detailOf(evaluation)}</small></th>
<td class="plot">${intervalPlot(evaluation)}</td>${present.map(
      ({ key, title }) => html`<td class="number ${key}" data-title="${title}">${numberCell(evaluation[key])}</td>`,
    )}</tr>`,
  )}</tbody>
</table>
<p class="note">In percent, more is better. The range below a number holds the true value in 95 of 100 such
measurements; ranges that overlap are no proof of a difference. Untrained: the same network with random
weights. Colour and position: no network at all. Dotted line: guessing.</p>`;
}

function detailOf({ metric, on, chance }: ReportEvaluation): string {
  const guess = chance === undefined ? undefined : `guessing: ${chance.toFixed(1)} %`;
  return [metric, on, guess].filter((text) => text !== undefined).join(' · ');
}

function numberCell(measured: Measured | undefined): Html {
  if (measured === undefined) return html`<span class="absent">not measured</span>`;
  const { value, interval } = measured;
  const range = interval && html`<small>${rangeText({ unit: '%' }, interval)}</small>`;
  return html`<b>${value.toFixed(1)}</b>${range}`;
}

/** Values as dots with their intervals as bars, on a scale from 0 to 100; the numbers beside it say the same. */
function intervalPlot(evaluation: ReportEvaluation): Html {
  const [width, lane] = [200, 13];
  const measured = columns.flatMap(({ key }) => {
    const value = evaluation[key];
    return value === undefined ? [] : [{ key, value }];
  });
  const height = measured.length * lane + 6;
  const x = (percent: number) => coordinate(5 + ((width - 10) * Math.min(100, Math.max(0, percent))) / 100);
  const grid = [0, 25, 50, 75, 100].map(
    (at) => `<line class="grid" x1="${x(at)}" x2="${x(at)}" y1="0" y2="${height}"/>`,
  );
  const chance = evaluation.chance;
  if (chance !== undefined)
    grid.push(`<line class="chance" x1="${x(chance)}" x2="${x(chance)}" y1="0" y2="${height}"/>`);
  const lanes = measured.map(({ key, value }, index) => laneOf(key, value, x, index * lane + lane / 2 + 3));
  return trusted(`<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${grid.join('')}${lanes.join('')}</svg>`);
}

function laneOf(key: Column, { value, interval }: Measured, x: (percent: number) => string, y: number): string {
  const bar =
    interval === undefined
      ? ''
      : `<line class="whisker ${key}" x1="${x(interval[0])}" x2="${x(interval[1])}" y1="${y}" y2="${y}"/>`;
  return `${bar}<circle class="dot ${key}" cx="${x(value)}" cy="${y}" r="4"/>`;
}
