import { scaleLinear } from 'd3-scale';
import { numberText } from '../support/number-text.js';
import type { CurvePanel, CurveSeries } from './curve-panels.js';
import { coordinate, escapeXml } from './svg-text.js';

/** Size of a panel in SVG units. */
export const panelSize = { width: 380, height: 230 };

/** Number of colours; further runs use them again. */
export const runColourCount = 6;

const plot = { left: 50, right: 300, top: 42, bottom: 188 };
/** Buckets of steps of which the least and the greatest value are drawn: about what a screen can show. */
const buckets = 400;
const labelDistance = 14;

type Point = readonly [x: number, y: number];
type Scale = (value: number) => number;

/**
 * One diagram as the content of an SVG of `panelSize`: title with unit, thin grid, lines, and at their ends the last value
 * or, where a run has several, their names. Colours and sizes are those of `curveStyle`.
 *
 * @param steps least and greatest step, the same for all panels of a sheet whose axis counts steps.
 */
export function drawPanel(panel: CurvePanel, steps: readonly [number, number]): string {
  const [first, last] = panel.axis === undefined ? steps : xRange([panel]);
  const x = scaleLinear(first === last ? [first - 1, first + 1] : [first, last], [plot.left, plot.right]);
  const y = scaleLinear(valueRange(panel), [plot.bottom, plot.top]).nice(4);
  return [
    `<text class="title" x="${plot.left - 40}" y="20">${escapeXml(panel.title)}`,
    panel.unit === '' ? '' : `<tspan class="unit" dx="7">${escapeXml(panel.unit)}</tspan>`,
    '</text>',
    ...y.ticks(4).map((value) => gridLine(y(value), value)),
    ...x.ticks(4).map((step) => stepTick(x(step), step)),
    `<text class="tick" x="${plot.right}" y="${plot.bottom + 33}" text-anchor="end">${panel.axis ?? 'step'}</text>`,
    ...panel.series.map((series) => lineOf(series, x, y)),
    ...endLabels(panel, x, y),
  ].join('');
}

/** Colours and sizes of panels as CSS. `colour` gives that of `ink`, `muted`, `grid`, or `run-0`, `run-1`, …. */
export function curveStyle(colour: (name: string) => string): string {
  const runs = Array.from({ length: runColourCount }, (_, run) => {
    const value = colour(`run-${run}`);
    return `.line.run-${run},.dot.run-${run}{stroke:${value}}.end.run-${run},.dot.run-${run}{fill:${value}}`;
  });
  return [
    `.title{font-size:14px;font-weight:600;fill:${colour('ink')}}`,
    `.unit{font-size:12px;font-weight:400;fill:${colour('muted')}}`,
    `.tick{font-size:11px;fill:${colour('muted')}}`,
    `.grid{stroke:${colour('grid')};stroke-width:1}`,
    '.line{fill:none;stroke-width:1.8;stroke-opacity:.85;stroke-linejoin:round;stroke-linecap:round}',
    '.line.part-1{stroke-dasharray:6 4}.line.part-2{stroke-dasharray:1.5 4}.line.part-3{stroke-dasharray:8 4 1.5 4}',
    '.end{font-size:12px;font-weight:600}',
    ...runs,
  ].join('');
}

/** What a panel shows in words, for those who do not see it. */
export function panelDescription({ title, unit, series, axis = 'step' }: CurvePanel): string {
  const texts = series.map(({ label, points }) => {
    const [first, last] = [points[0]![1], points.at(-1)![1]];
    return `${label}: from ${numberText(first)} to ${numberText(last)}`;
  });
  return `${title}${unit === '' ? '' : ` (${unit})`} over ${axis}s; ${texts.join('; ')}`;
}

/** Least and greatest place of the points of panels; 0 to 1 where there are none. */
export function xRange(panels: readonly CurvePanel[]): [number, number] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { points } of panels.flatMap(({ series }) => series)) {
    first = Math.min(first, points[0]![0]);
    last = Math.max(last, points.at(-1)![0]);
  }
  return first <= last ? [first, last] : [0, 1];
}

function valueRange({ series, reach }: CurvePanel): [number, number] {
  let [low, high] = [Math.min(...reach), Math.max(...reach)];
  for (const { points } of series) {
    for (const [, value] of points) {
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return [0, 1];
  if (low < high) return [low, high];
  const around = Math.abs(low) * 0.1 || 1;
  return [low - around, high + around];
}

function gridLine(y: number, value: number): string {
  const at = coordinate(y);
  return (
    `<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${at}" y2="${at}"/>` +
    `<text class="tick" x="${plot.left - 8}" y="${coordinate(y + 4)}" text-anchor="end">${tickText(value)}</text>`
  );
}

function stepTick(x: number, step: number): string {
  return `<text class="tick" x="${coordinate(x)}" y="${plot.bottom + 17}" text-anchor="middle">${tickText(step)}</text>`;
}

function tickText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${numberText(value / 1e6)}M`;
  if (size >= 1e4) return `${numberText(value / 1e3)}k`;
  return numberText(value, 6).replace('-', '−');
}

function lineOf(series: CurveSeries, x: Scale, y: Scale): string {
  const classes = `run-${series.run % runColourCount} part-${series.part % 4}`;
  const runs = finiteRuns(thinned(series.points)).map((part) =>
    part.map(([step, value]): Point => [x(step), y(value)]),
  );
  // A single value between gaps has no line; a dot shows it.
  const dots = runs.flatMap((part) => (part.length === 1 ? [dotAt(part[0]!, classes)] : []));
  const path = runs
    .filter((part) => part.length > 1)
    .map((part) => `M${part.map(([px, py]) => `${coordinate(px)} ${coordinate(py)}`).join('L')}`)
    .join('');
  return (path === '' ? '' : `<path class="line ${classes}" d="${path}"/>`) + dots.join('');
}

function dotAt([x, y]: Point, classes: string): string {
  return `<circle class="dot ${classes}" cx="${coordinate(x)}" cy="${coordinate(y)}" r="2"/>`;
}

/** Stretches of points without gaps. */
function finiteRuns(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [[]];
  for (const point of points) {
    if (Number.isFinite(point[1])) runs.at(-1)!.push(point);
    else if (runs.at(-1)!.length > 0) runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

/** Of long series the extremes within short stretches of steps, in order, so that peaks stay. */
function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= 3 * buckets) return points;
  const first = points[0]![0];
  const width = (points.at(-1)![0] - first) / buckets;
  const kept = new Map<number, { low: number; high: number }>();
  points.forEach(([step, value], place) => {
    const bucket = Math.floor((step - first) / width);
    const extremes = kept.get(bucket);
    if (extremes === undefined) kept.set(bucket, { low: place, high: place });
    else if (!(value >= points[extremes.low]![1])) extremes.low = place;
    else if (value > points[extremes.high]![1]) extremes.high = place;
  });
  const places = new Set([...kept.values()].flatMap(({ low, high }) => [low, high]));
  return [...places].sort((a, b) => a - b).map((place) => points[place]!);
}

/** Labels at the ends of the lines of one run; with several runs, the legend of the sheet has to do. */
function endLabels({ series, parts }: CurvePanel, x: Scale, y: Scale): string[] {
  if (series.some(({ run }) => run > 0)) return parts.length > 1 ? [partsLegend(parts)] : [];
  const labels = series.flatMap((one) => {
    const last = one.points.findLast(([, value]) => Number.isFinite(value));
    if (last === undefined) return [];
    const text = parts.length > 1 ? one.label : numberText(last[1], 3);
    return [{ text, run: one.run, x: x(last[0]), y: y(last[1]) }];
  });
  labels.sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; i++) labels[i]!.y = Math.max(labels[i]!.y, labels[i - 1]!.y + labelDistance);
  return labels.map(
    (label) =>
      `<text class="end run-${label.run % runColourCount}" x="${coordinate(label.x + 6)}" y="${coordinate(label.y + 4)}">${escapeXml(label.text)}</text>`,
  );
}

function partsLegend(parts: readonly string[]): string {
  const dashes = ['solid', 'dashed', 'dotted', 'dash-dotted'];
  const text = parts.map((part, index) => `${dashes[index % 4]}: ${part}`).join(' · ');
  return `<text class="tick" x="${plot.left}" y="${plot.bottom + 33}">${escapeXml(text)}</text>`;
}
