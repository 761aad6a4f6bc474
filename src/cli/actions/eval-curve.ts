import { metricText } from '../../evals/measure/metric-text.js';
import type { Curve, MetricInfo, Task } from '../../evals/task.js';
import type { RunPicture } from '../../report/run-pictures.js';
import { tableText } from '../../support/table-text.js';
import type { CurvePanel, CurveSeries } from '../../visualise/curve-panels.js';
import { panelSheet } from '../../visualise/curve-sheet.js';
import { type ModelResult, nameOf } from './model-result.js';

/** A curve of a model, or of the untrained one beside it. */
interface NamedCurve {
  readonly name: string;
  readonly curve: Curve;
}

function curvesOf(results: readonly ModelResult[]): NamedCurve[] {
  return results.flatMap((result) => {
    const { curve, floorCurve } = result;
    const name = nameOf(result);
    const untrained = results.length === 1 ? 'untrained' : `${name}, untrained`;
    return [...(curve ? [{ name, curve }] : []), ...(floorCurve ? [{ name: untrained, curve: floorCurve }] : [])];
  });
}

/** The curves of all models as a table: a row for each block or number of neighbours; nothing where there are none. */
export function curveTable(task: Task, results: readonly ModelResult[]): string | undefined {
  const curves = curvesOf(results);
  const [first] = curves;
  if (first === undefined) return undefined;
  const columns = metricsOf(task, curves).flatMap(({ key, info }) =>
    curves.filter(({ curve }) => key in curve.metrics).map((of) => ({ ...of, key, info })),
  );
  const several = curves.length > 1;
  const head = columns.map(({ name, info }) => `${info.name}${several ? `, ${name}` : ''}`);
  const places = [...new Set(curves.flatMap(({ curve }) => curve.at))].sort((a, b) => a - b);
  const rows = places.map((at) => [
    String(at),
    ...columns.map(({ curve, key, info }) => {
      const place = curve.at.indexOf(at);
      return place === -1 ? '-' : metricText(info, curve.metrics[key]![place]!, curve.intervals[key]?.[place]);
    }),
  ]);
  return tableText([first.curve.along, ...head], rows);
}

/** The curves of all models as an SVG, one diagram a metric; nothing where there are none. */
export function curveSvg(task: Task, results: readonly ModelResult[]): string | undefined {
  const curves = curvesOf(results);
  if (curves.length === 0) return undefined;
  const panels = metricsOf(task, curves).map(({ key, info }): CurvePanel => {
    const series = curves.flatMap(({ name, curve }, run): CurveSeries[] => {
      const values = curve.metrics[key];
      if (values === undefined) return [];
      const points = curve.at.map((at, i): [number, number] => [at, values[i]!]);
      return [{ run, part: 0, label: name, points: points.sort((a, b) => a[0] - b[0]) }];
    });
    const { along } = curves[0]!.curve;
    return { title: `${info.name} by ${along}`, unit: info.unit, axis: along, reach: [], parts: [info.name], series };
  });
  return panelSheet(
    panels,
    curves.map(({ name }) => name),
    `${task.name} by ${curves[0]!.curve.along}`,
  );
}

/** The picture for the report of a run. */
export function curvePicture(task: Task, along: string, png: Uint8Array): RunPicture {
  return {
    title: along === 'block' ? 'What every block knows' : `${task.name} by ${along}`,
    caption:
      along === 'block'
        ? 'Nearest neighbours judge the output of every block. Where a block in the middle is best, refining the encoder is worth while (tessera refine).'
        : `${task.summary}, by ${along}.`,
    png,
  };
}

function metricsOf(task: Task, curves: readonly NamedCurve[]): { key: string; info: MetricInfo }[] {
  return Object.entries(task.metrics)
    .filter(([key]) => curves.some(({ curve }) => key in curve.metrics))
    .map(([key, info]) => ({ key, info }));
}
